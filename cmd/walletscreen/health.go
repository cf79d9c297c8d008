package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

type healthCmd struct {
	connectFlags `embed:""`

	Timeout time.Duration `default:"1s" help:"How long to wait for an answer."`
}

// Help is the part of the manual that belongs to no flag.
func (healthCmd) Help() string {
	return "For container probes. Exits 0 when the server can answer correctly now, 1 otherwise, and says which."
}

func (c *healthCmd) Run(ctx context.Context, s std) error {
	if len(c.Server) != 1 {
		return usagef("--server: a probe asks one server, and %d are named", len(c.Server))
	}
	cl, err := c.client(c.Timeout)
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	ready, err := cl.Ready(ctx)
	if err != nil {
		return explainCall(c.servers(), err)
	}
	if !ready {
		return errors.New("not ready: no snapshot is loaded, a list is stale or missing, or the server is stopping; /readyz on its --ops-listen says which")
	}
	fmt.Fprintln(s.out, "ready")
	return nil
}
