// Events to the standard output and commands from the standard input: a JSON object on each line.

import { createInterface } from 'node:readline'

export function report (event, more = {}) {
  process.stdout.write(JSON.stringify({ event, ...more }) + '\n')
}

export function failed (what, error) {
  report('failed', { what, reason: error.message })
}

// Calls `serve` for each command; ends the program with its input, because then whoever started it is gone.
export async function commands (serve) {
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line)
    serve(command).catch((error) => failed(command.do, error))
  }
  process.exit(0)
}
