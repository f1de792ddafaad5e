//! Both ends of an echo.

use std::time::Instant;

use futures::{io, AsyncReadExt, AsyncWriteExt};
use libp2p::Stream;
use rand::{rngs::StdRng, RngCore, SeedableRng};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::report::{failed, report};

const CHUNK: usize = 64 * 1024;

/// Send everything back until the remote ends its side.
pub async fn serve(stream: Stream) {
    let (reader, mut writer) = stream.split();
    // An error ends the stream, and dropping it resets it: the remote sees that.
    if io::copy(reader, &mut writer).await.is_ok() {
        writer.close().await.ok();
    }
}

/// Send random bytes and compare what comes back.
pub async fn check(stream: Stream, path: String, bytes: usize) {
    let start = Instant::now();
    let (mut reader, mut writer) = stream.split();
    let send = async {
        let (mut source, mut hash, mut left) = (StdRng::from_entropy(), Sha256::new(), bytes);
        let mut chunk = vec![0; CHUNK];
        while left > 0 {
            let piece = &mut chunk[..left.min(CHUNK)];
            source.fill_bytes(piece);
            writer.write_all(piece).await?;
            hash.update(&*piece);
            left -= piece.len();
        }
        writer.close().await?;
        io::Result::Ok(hash.finalize())
    };
    let mut received = 0;
    let receive = async {
        let (mut hash, mut chunk) = (Sha256::new(), vec![0; CHUNK]);
        loop {
            let count = reader.read(&mut chunk).await?;
            if count == 0 {
                return io::Result::Ok(hash.finalize());
            }
            hash.update(&chunk[..count]);
            received += count;
        }
    };
    match futures::try_join!(send, receive) {
        Ok((sent, back)) => {
            let seconds = start.elapsed().as_secs_f64();
            report("echoed", json!({"path": path, "bytes": received, "same": sent == back, "seconds": seconds}));
        }
        Err(error) => failed("echo", format!("after {received} bytes: {error}")),
    }
}
