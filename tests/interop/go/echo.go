package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	msmux "github.com/multiformats/go-multistream"
)

// Both ids that Kaspa peers use.
var streamProtocols = []protocol.ID{"/kaspad/transport/1.0.0", "/kaspa/p2p/bridge/1.0"}

// A transfer that takes longer has failed.
const transferPatience = 180 * time.Second

// echo sends everything back until the remote ends its side.
func echo(stream network.Stream) {
	if _, err := io.Copy(stream, stream); err != nil {
		stream.Reset()
		return
	}
	stream.Close()
}

// echo sends random bytes to the remote on one path and compares what comes back.
func (us *self) echo(remote peer.ID, wanted command) error {
	stream, err := us.open(remote, wanted.Path, protocol.ID(wanted.Protocol))
	if err != nil {
		return err
	}
	defer stream.Close()
	if err := stream.SetDeadline(time.Now().Add(transferPatience)); err != nil {
		return err
	}
	start := time.Now()
	sent := make(chan string, 1)
	go func() {
		sum := sha256.New()
		_, err := io.Copy(io.MultiWriter(stream, sum), io.LimitReader(rand.Reader, int64(wanted.Bytes)))
		if err == nil {
			err = stream.CloseWrite()
		}
		if err != nil {
			stream.Reset()
		}
		sent <- hex.EncodeToString(sum.Sum(nil))
	}()
	sum := sha256.New()
	received, err := io.Copy(sum, stream)
	seconds := time.Since(start).Seconds()
	if err != nil {
		return fmt.Errorf("after %d bytes: %w", received, err)
	}
	report("echoed", fields{
		"path":    wanted.Path,
		"bytes":   received,
		"same":    <-sent == hex.EncodeToString(sum.Sum(nil)),
		"seconds": seconds,
	})
	return nil
}

// open gives a stream on a connection of the wanted path, the newest if there are several.
func (us *self) open(remote peer.ID, path string, name protocol.ID) (network.Stream, error) {
	var found network.Conn
	for _, conn := range us.host.Network().ConnsToPeer(remote) {
		if pathOf(conn) == path && (found == nil || conn.Stat().Opened.After(found.Stat().Opened)) {
			found = conn
		}
	}
	if found == nil {
		return nil, fmt.Errorf("no %s connection", path)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := found.NewStream(network.WithAllowLimitedConn(ctx, "interop"))
	if err != nil {
		return nil, err
	}
	if err := stream.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	if err := msmux.SelectProtoOrFail(name, stream); err != nil {
		stream.Reset()
		return nil, err
	}
	return stream, nil
}
