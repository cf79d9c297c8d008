package main

import (
	"context"
	"log/slog"

	"walletscreen/loader"
	"walletscreen/screen/store"
)

// releaseElsewhere says what an operator can do about a publication that is held by
// a server without Redis.
const releaseElsewhere = "a server without Redis cannot let a publication through. Look at it with walletscreen load --dry-run, load it into a Redis with --release, and serve with --redis"

// refresh imports publications into the embedded store again and again, until ctx
// ends. A publisher that cannot be reached leaves the list as it is, and says so
// each time.
func refresh(ctx context.Context, publisher *store.Publisher, options loader.Options, metrics *loader.Metrics, log *slog.Logger) {
	err := loader.Stay(ctx, loaderStore{publisher, true}, options, func(r *loader.Report) {
		metrics.Observe(r)
		logReport(log, r)
		if r.Outcome == loader.Held {
			log.Error("HELD: serving the list as it was; "+releaseElsewhere, "list", r.List)
		}
		if r.Outcome == loader.Failed && r.Snapshot != nil && r.Snapshot.List(r.List) != nil {
			log.Error("NOT REFRESHED: serving the list as it was", "list", r.List,
				"published", r.Snapshot.List(r.List).Current().PublishedOn.String(), "next_try_in", options.Every)
		}
	})
	if err != nil {
		log.Error("refreshing the lists", "err", err)
	}
}
