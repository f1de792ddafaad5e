// A libp2p peer or relay on go-libp2p, for the tests in tests/interop. README.md there describes its commands and events.
package main

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	manet "github.com/multiformats/go-multiaddr/net"
)

// options are the flags that both roles have.
type options struct {
	seed   string
	listen string
}

func main() {
	var common options
	var limits limits
	var reserve bool
	var relay string
	if len(os.Args) < 2 {
		fatal(fmt.Errorf("no role; expected relay or peer"))
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	flags.StringVar(&common.seed, "key", "", "the seed of the Ed25519 key, 64 hex digits")
	flags.StringVar(&common.listen, "listen", "", "multiaddr to listen on")
	flags.String("external", "", "multiaddr at which others reach this relay; go-libp2p finds it out by itself")
	flags.Int64Var(&limits.bytes, "limit-bytes", 0, "relay: bytes of a circuit each way, 0 for no limits")
	flags.Int64Var(&limits.seconds, "limit-seconds", 0, "relay: seconds of a circuit")
	flags.StringVar(&relay, "relay", "", "peer: multiaddr of the relay, with its peer id")
	flags.BoolVar(&reserve, "reserve", false, "peer: reserve on the relay")
	publicAfter := flags.Duration("public-after", 0, "until then this host knows no public address of its own")
	if err := flags.Parse(os.Args[2:]); err != nil {
		fatal(err)
	}
	if *publicAfter == 0 {
		unroutableNoMore("203.0.113.0/24")
	} else {
		time.AfterFunc(*publicAfter, func() { unroutableNoMore("203.0.113.0/24") })
	}
	var err error
	switch os.Args[1] {
	case "relay":
		err = runRelay(common, limits)
	case "peer":
		err = runPeer(common, relay, reserve)
	default:
		err = fmt.Errorf("role %q; expected relay or peer", os.Args[1])
	}
	if err != nil {
		fatal(err)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// unroutableNoMore takes a documentation network out of those that go-libp2p holds for unroutable: the lab uses it as its
// Internet. A host without a public address never registers /libp2p/dcutr.
func unroutableNoMore(network string) {
	var kept []*net.IPNet
	for _, known := range manet.Unroutable4 {
		if known.String() != network {
			kept = append(kept, known)
		}
	}
	manet.Unroutable4 = kept
}

func key(seed string) (crypto.PrivKey, error) {
	raw, err := hex.DecodeString(seed)
	if err != nil || len(raw) != 32 {
		return nil, fmt.Errorf("key: expected 64 hex digits")
	}
	private, _, err := crypto.GenerateEd25519Key(bytes.NewReader(raw))
	return private, err
}

// base is what both roles give to libp2p.New: one transport, one security protocol, one muxer, and no limits of its own.
func base(common options) ([]libp2p.Option, error) {
	private, err := key(common.seed)
	if err != nil {
		return nil, err
	}
	return []libp2p.Option{
		libp2p.Identity(private),
		libp2p.ListenAddrStrings(common.listen),
		libp2p.NoTransports,
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableMetrics(),
	}, nil
}
