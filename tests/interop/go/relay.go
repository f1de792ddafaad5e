package main

import (
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
)

// limits of a circuit; none if bytes is 0.
type limits struct {
	bytes   int64
	seconds int64
}

func runRelay(common options, limits limits) error {
	settings, err := base(common)
	if err != nil {
		return err
	}
	resources := relay.DefaultResources()
	resources.Limit = nil
	if limits.bytes != 0 {
		resources.Limit = &relay.RelayLimit{Data: limits.bytes, Duration: time.Duration(limits.seconds) * time.Second}
	}
	settings = append(
		settings, libp2p.EnableRelayService(relay.WithResources(resources)), libp2p.ForceReachabilityPublic())
	host, err := libp2p.New(settings...)
	if err != nil {
		return err
	}
	defer host.Close()
	report("ready", fields{"id": host.ID().String()})
	return commands(func(command) {})
}
