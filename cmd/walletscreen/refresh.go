package main

import (
	"context"
	"log/slog"
	"time"

	"walletscreen/loader"
	"walletscreen/screen/store"
)

// refresh imports publications into the embedded store again and again, until ctx
// ends. A publisher that cannot be reached leaves the list as it is, and says so
// each time.
func refresh(ctx context.Context, publisher *store.Publisher, options loader.Options, metrics *loader.Metrics, log *slog.Logger) {
	for {
		reports, err := loader.Run(ctx, loaderStore{publisher, true}, options)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			log.Error("refreshing the lists", "err", err)
		}
		metrics.Observe(reports)
		for i := range reports {
			logReport(log, &reports[i])
			if r := &reports[i]; r.Outcome == loader.Failed && r.Snapshot != nil && r.Snapshot.List(r.List) != nil {
				log.Error("NOT REFRESHED: serving the list as it was", "list", r.List,
					"published", r.Snapshot.List(r.List).Current().PublishedOn.String(), "next_try_in", options.Every)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(options.Every):
		}
	}
}
