package main

import (
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
	ma "github.com/multiformats/go-multiaddr"
)

const (
	relayed = "relayed"
	direct  = "direct"
	// A step over the network that takes longer has failed.
	patience = 30 * time.Second
)

// self is this peer.
type self struct {
	host    host.Host
	relay   peer.AddrInfo
	circuit ma.Multiaddr
}

func runPeer(common options, relay string, reserve bool) error {
	settings, err := base(common)
	if err != nil {
		return err
	}
	circuit, err := ma.NewMultiaddr(relay + "/p2p-circuit")
	if err != nil {
		return err
	}
	through, err := peer.AddrInfoFromString(relay)
	if err != nil {
		return err
	}
	settings = append(
		settings,
		libp2p.ForceReachabilityPrivate(),
		libp2p.EnableHolePunching(holepunch.WithTracer(tracer{})),
	)
	host, err := libp2p.New(settings...)
	if err != nil {
		return err
	}
	defer host.Close()
	us := &self{host, *through, circuit}
	host.Network().Notify(&network.NotifyBundle{ConnectedF: connected, DisconnectedF: closed})
	for _, name := range streamProtocols {
		host.SetStreamHandler(name, echo)
	}
	report("ready", fields{"id": host.ID().String()})
	go us.reportPunching()
	if err := us.meetRelay(reserve); err != nil {
		return err
	}
	return commands(us.serve)
}

// meetRelay connects to the relay, and reserves there if that is wanted.
func (us *self) meetRelay(reserve bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := us.host.Connect(ctx, us.relay); err != nil {
		return err
	}
	if !reserve {
		report("joined", fields{})
		return nil
	}
	reservation, err := client.Reserve(ctx, us.host, us.relay)
	if err != nil {
		return err
	}
	report("reserved", fields{
		"limit_bytes":   reservation.LimitData,
		"limit_seconds": reservation.LimitDuration.Seconds(),
	})
	return nil
}

// reportPunching says when go-libp2p has begun to serve hole punches: it does so once it knows a public address of its own.
func (us *self) reportPunching() {
	changes, err := us.host.EventBus().Subscribe(new(event.EvtLocalProtocolsUpdated))
	if err != nil {
		fatal(err)
	}
	defer changes.Close()
	for !served(us.host, holepunch.Protocol) {
		<-changes.Out()
	}
	report("punching", fields{})
}

func served(host host.Host, wanted protocol.ID) bool {
	for _, name := range host.Mux().Protocols() {
		if name == wanted {
			return true
		}
	}
	return false
}

func (us *self) serve(wanted command) {
	remote, err := peer.Decode(wanted.Peer)
	if err != nil {
		failed(wanted.Do, err)
		return
	}
	switch wanted.Do {
	case "dial":
		err = us.dial(remote)
	case "echo":
		err = us.echo(remote, wanted)
	case "drop":
		err = us.host.Network().ClosePeer(remote)
	default:
		err = fmt.Errorf("unknown command")
	}
	if err != nil {
		failed(wanted.Do, err)
	}
}

// dial connects through the relay, and by no other address that is known of the remote.
func (us *self) dial(remote peer.ID) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	us.host.Peerstore().ClearAddrs(remote)
	us.host.Peerstore().AddAddr(remote, us.circuit, peerstore.PermanentAddrTTL)
	_, err := us.host.Network().DialPeer(network.WithAllowLimitedConn(ctx, "interop"), remote)
	return err
}

func pathOf(conn network.Conn) string {
	if _, err := conn.RemoteMultiaddr().ValueForProtocol(ma.P_CIRCUIT); err == nil {
		return relayed
	}
	return direct
}

func about(conn network.Conn) fields {
	return fields{
		"peer":    conn.RemotePeer().String(),
		"path":    pathOf(conn),
		"remote":  conn.RemoteMultiaddr().String(),
		"limited": conn.Stat().Limited,
	}
}

func connected(_ network.Network, conn network.Conn) {
	report("connected", about(conn))
}

func closed(_ network.Network, conn network.Conn) {
	report("closed", about(conn))
}

// tracer reports each attempt of a hole punch.
type tracer struct{}

func (tracer) Trace(what *holepunch.Event) {
	remote := what.Remote.String()
	switch found := what.Evt.(type) {
	case *holepunch.HolePunchAttemptEvt:
		report("attempt", fields{"peer": remote})
	case *holepunch.EndHolePunchEvt:
		report("attempt over", fields{"peer": remote, "success": found.Success, "reason": found.Error})
	case *holepunch.ProtocolErrorEvt:
		report("attempt over", fields{"peer": remote, "success": false, "reason": found.Error})
	}
}
