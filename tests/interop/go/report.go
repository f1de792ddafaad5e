package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

// fields of an event or a command.
type fields map[string]any

var reporting sync.Mutex

// report writes one event, a JSON object on a line of its own.
func report(event string, more fields) {
	line := fields{"event": event}
	for name, value := range more {
		line[name] = value
	}
	text, err := json.Marshal(line)
	if err != nil {
		fatal(err)
	}
	reporting.Lock()
	defer reporting.Unlock()
	fmt.Println(string(text))
}

func failed(what string, err error) {
	report("failed", fields{"what": what, "reason": err.Error()})
}

// command is a line of the standard input.
type command struct {
	Do       string `json:"do"`
	Peer     string `json:"peer"`
	Path     string `json:"path"`
	Protocol string `json:"protocol"`
	Bytes    int    `json:"bytes"`
}

// commands calls `serve` for each line until the input ends: then whoever started this program is gone.
func commands(serve func(command)) error {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var wanted command
		if err := json.Unmarshal(lines.Bytes(), &wanted); err != nil {
			return fmt.Errorf("command %q: %w", lines.Text(), err)
		}
		serve(wanted)
	}
	return lines.Err()
}
