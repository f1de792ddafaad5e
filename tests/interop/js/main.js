// A libp2p peer or relay on js-libp2p, for the tests in tests/interop. README.md there describes its commands and events.

import './polyfill.js'
import { parseArgs } from 'node:util'
import { runPeer } from './peer.js'
import { runRelay } from './relay.js'

const role = process.argv[2]
const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    key: { type: 'string' },
    listen: { type: 'string' },
    external: { type: 'string' },
    relay: { type: 'string' },
    reserve: { type: 'boolean', default: false },
    'limit-bytes': { type: 'string', default: '0' },
    'limit-seconds': { type: 'string', default: '0' }
  }
})

if (role === 'relay') {
  await runRelay(values)
} else if (role === 'peer') {
  await runPeer(values)
} else {
  throw new Error(`role ${role}; expected relay or peer`)
}
