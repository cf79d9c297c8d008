package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"walletscreen/screen/client"
)

type healthCmd struct {
	Server  string        `default:"127.0.0.1:50051" help:"Server to ask, HOST:PORT."`
	Timeout time.Duration `default:"1s" help:"How long to wait for an answer."`
}

// Help is the part of the manual that belongs to no flag.
func (healthCmd) Help() string {
	return "For container probes. Exits 0 when the server can answer correctly now, 1 otherwise, and says which."
}

func (c *healthCmd) Run(ctx context.Context, s std) error {
	cl, err := client.New([]string{c.Server}, client.Options{UserAgent: "walletscreen"})
	if err != nil {
		return usagef("--server: %v", err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	ready, err := cl.Ready(ctx)
	if err != nil {
		return explainCall(c.Server, err)
	}
	if !ready {
		return errors.New("not ready: no snapshot is loaded, a list is stale, or the server is stopping")
	}
	fmt.Fprintln(s.out, "ready")
	return nil
}
