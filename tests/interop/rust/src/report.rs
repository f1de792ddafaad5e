//! Events to the standard output and commands from the standard input: a JSON object on each line.

use serde_json::{json, Value};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

pub fn report(event: &str, mut more: Value) {
    more["event"] = json!(event);
    println!("{more}");
}

pub fn failed(what: &str, reason: impl std::fmt::Display) {
    report("failed", json!({"what": what, "reason": reason.to_string()}));
}

pub struct Commands(Lines<BufReader<Stdin>>);

impl Commands {
    pub fn new() -> Self {
        Self(BufReader::new(tokio::io::stdin()).lines())
    }

    /// The next command, or None when the input has ended: then whoever started this program is gone.
    pub async fn next(&mut self) -> Result<Option<Value>, Box<dyn std::error::Error>> {
        match self.0.next_line().await? {
            Some(line) => Ok(Some(serde_json::from_str(&line)?)),
            None => Ok(None),
        }
    }
}
