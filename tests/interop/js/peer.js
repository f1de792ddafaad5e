import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { dcutr } from '@libp2p/dcutr'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { base } from './base.js'
import { check, serveEcho, STREAM_PROTOCOLS } from './echo.js'
import { commands, report } from './report.js'

export async function runPeer (options) {
  const settings = await base(options)
  const circuit = `${options.relay}/p2p-circuit`
  const node = await createLibp2p({
    ...settings,
    start: false,
    addresses: { listen: options.reserve ? [options.listen, circuit] : [options.listen] },
    transports: [...settings.transports, circuitRelayTransport()],
    services: { ...settings.services, dcutr: dcutr() }
  })
  node.addEventListener('connection:open', ({ detail }) => report('connected', about(detail)))
  node.addEventListener('connection:close', ({ detail }) => report('closed', about(detail)))
  await node.handle(STREAM_PROTOCOLS, serveEcho, { runOnLimitedConnection: true, maxInboundStreams: 64 })
  const reserved = options.reserve ? reservation(node) : undefined
  await node.start()
  report('ready', { id: node.peerId.toString() })
  if (reserved === undefined) {
    await node.dial(multiaddr(options.relay))
    report('joined')
  } else {
    await reserved
    report('reserved')
  }
  await commands((command) => serve(node, circuit, command))
}

// Resolves when the host has an address on its relay.
function reservation (node) {
  return new Promise((resolve) => {
    node.addEventListener('self:peer:update', () => {
      if (node.getMultiaddrs().some((address) => address.toString().includes('/p2p-circuit'))) {
        resolve()
      }
    })
  })
}

async function serve (node, circuit, command) {
  const remote = peerIdFromString(command.peer)
  if (command.do === 'dial') {
    await node.dial(multiaddr(`${circuit}/p2p/${command.peer}`))
  } else if (command.do === 'drop') {
    await node.hangUp(remote)
  } else if (command.do === 'echo') {
    const fitting = node.getConnections(remote).filter((connection) => pathOf(connection) === command.path)
    if (fitting.length === 0) {
      throw new Error(`no ${command.path} connection`)
    }
    const stream = await fitting.at(-1).newStream([command.protocol], { runOnLimitedConnection: true })
    await check(stream, command.path, command.bytes)
  } else {
    throw new Error('unknown command')
  }
}

function pathOf (connection) {
  return connection.remoteAddr.toString().includes('/p2p-circuit') ? 'relayed' : 'direct'
}

function about (connection) {
  return {
    peer: connection.remotePeer.toString(),
    path: pathOf(connection),
    remote: connection.remoteAddr.toString(),
    limited: connection.limits !== undefined
  }
}
