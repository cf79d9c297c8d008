package server

import (
	"cmp"
	"runtime"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	pb "walletscreen/proto/walletscreen/v1"
)

// metrics are what the server counts. No label holds anything of a request but
// verdicts, reasons, codes, registered methods and configured names of callers.
type metrics struct {
	duration  *prometheus.HistogramVec
	calls     *prometheus.CounterVec
	inFlight  *prometheus.GaugeVec
	sizes     prometheus.Histogram
	addresses *prometheus.CounterVec
	reasons   *prometheus.CounterVec
	swaps     prometheus.Counter
	refused   prometheus.Counter
	panics    prometheus.Counter

	canaryFailures *prometheus.CounterVec
	regressions    *prometheus.CounterVec

	callers callerLabels
}

func newMetrics(s *Server, reg prometheus.Registerer) *metrics {
	m := &metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "walletscreen_call_duration_seconds",
			Help:    "Time to answer one call, or one batch of a stream, without the network, by method and gRPC code.",
			Buckets: []float64{25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 250e-3, 1},
		}, []string{"method", "code"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "walletscreen_calls_total", Help: "Calls that ended, by the caller's configured name, method and gRPC code.",
		}, []string{"caller", "method", "code"}),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "walletscreen_calls_in_flight", Help: "Calls that have not ended, open streams included, by method.",
		}, []string{"method"}),
		sizes: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "walletscreen_batch_addresses", Help: "Addresses in one batch that was answered.",
			Buckets: []float64{1, 2, 5, 10, 25, 100, 250, 1000, 2500, MaxAddresses},
		}),
		addresses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "walletscreen_addresses_total", Help: "Addresses screened, by the caller's configured name and verdict.",
		}, []string{"caller", "verdict"}),
		reasons: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "walletscreen_reasons_total", Help: "Addresses for which a stronger answer was not possible, by reason.",
		}, []string{"reason"}),
		swaps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "walletscreen_swaps_total", Help: "States taken over: new snapshots and news of their freshness.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "walletscreen_refused_swaps_total", Help: "Snapshots that were loaded and are not served because their canaries fail.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "walletscreen_panics_total", Help: "Calls that ended in a defect of the server.",
		}),
		canaryFailures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "walletscreen_canary_failures_total", Help: "Known addresses that a new snapshot answered wrongly, by group: sample, spelling, operator, unlisted.",
		}, []string{"group"}),
		regressions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "walletscreen_list_regressions_total", Help: "New snapshots in which a list was gone or older than before.",
		}, []string{"list"}),
	}
	// An alert needs the series before the first failure.
	for _, group := range []string{canarySample, canarySpelling, canaryOperator, canaryUnlisted} {
		m.canaryFailures.WithLabelValues(group)
	}
	if reg != nil {
		reg.MustRegister(m.duration, m.calls, m.inFlight, m.sizes, m.addresses, m.reasons, m.swaps, m.refused, m.panics, m.canaryFailures, m.regressions,
			&listCollector{s})
	}
	return m
}

// maxCallers is how many names of callers become labels. Names come from the
// configuration, which may be reloaded; a server never forgets a label.
const maxCallers = 1000

// otherCallers is the label of those over maxCallers.
const otherCallers = "other"

// callerLabels are the names of callers that are labels. The zero value has none.
type callerLabels struct {
	known sync.Map // of names
	mu    sync.Mutex
	n     int
}

// label is the label of a caller's name.
func (l *callerLabels) label(name string) string {
	if _, ok := l.known.Load(name); ok {
		return name
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, ok := l.known.Load(name); ok {
		return name
	}
	if l.n == maxCallers {
		return otherCallers
	}
	l.n++
	l.known.Store(name, true)
	return name
}

// batch counts one answered batch, and returns its verdicts.
func (m *metrics) batch(caller string, res *pb.ScreenAddressesResponse) (counts verdicts) {
	m.sizes.Observe(float64(len(res.Results)))
	for _, r := range res.Results {
		counts[r.Verdict]++
		if r.Reason != pb.Reason_REASON_UNSPECIFIED {
			m.reasons.WithLabelValues(r.Reason.String()).Inc()
		}
	}
	for v, n := range counts {
		if n > 0 {
			m.addresses.WithLabelValues(caller, pb.Verdict(v).String()).Add(float64(n))
		}
	}
	return counts
}

// listCollector reports the state of what is served when it is asked.
type listCollector struct{ s *Server }

var (
	buildDesc     = prometheus.NewDesc("walletscreen_build_info", "1, with the version of the program and of Go that it was built with.", []string{"version", "go_version"}, nil)
	readyDesc     = prometheus.NewDesc("walletscreen_ready", "1 when addresses can be screened correctly now.", nil, nil)
	sequenceDesc  = prometheus.NewDesc("walletscreen_snapshot_sequence", "Sequence number of the snapshot that is served.", nil, nil)
	createdDesc   = prometheus.NewDesc("walletscreen_snapshot_created_timestamp_seconds", "When that snapshot was published.", nil, nil)
	builtinDesc   = prometheus.NewDesc("walletscreen_list_builtin", "1 when the list is the builtin default.", []string{"list"}, nil)
	ageDesc       = prometheus.NewDesc("walletscreen_list_age_seconds", "Time since the list was compared with its publisher.", []string{"list"}, nil)
	maxAgeDesc    = prometheus.NewDesc("walletscreen_list_max_age_seconds", "The age past which the list cannot say that something is not listed; none for a list on which no limit is enforced.", []string{"list"}, nil)
	verifiedDesc  = prometheus.NewDesc("walletscreen_list_verified_timestamp_seconds", "When a loader last compared the list with its publisher; none if that never happened.", []string{"list"}, nil)
	canariesDesc  = prometheus.NewDesc("walletscreen_canaries", "Known addresses that the newest snapshot was asked for, by what came of them: passed, failed, delisted.", []string{"outcome"}, nil)
	refusalDesc   = prometheus.NewDesc("walletscreen_newest_snapshot_refused", "1 while the snapshot that came last is not served because its canaries fail.", nil, nil)
	publishedDesc = prometheus.NewDesc("walletscreen_list_published_timestamp_seconds", "The publisher's date of the publication that is loaded.", []string{"list"}, nil)
	addressesDesc = prometheus.NewDesc("walletscreen_list_addresses", "Distinct addresses listed now.", []string{"list"}, nil)
	heldDesc      = prometheus.NewDesc("walletscreen_list_held", "1 when a guard stopped another publication of the list, also of a list that is not served for that.", []string{"list"}, nil)
	heldSinceDesc = prometheus.NewDesc("walletscreen_list_held_since_timestamp_seconds", "When a guard first stopped that publication.", []string{"list"}, nil)
	unparsedDesc  = prometheus.NewDesc("walletscreen_list_unparsed_addresses", "Of these, how many only match their own text.", []string{"list"}, nil)
)

func (c *listCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		buildDesc, maxAgeDesc, verifiedDesc, canariesDesc, refusalDesc, readyDesc, sequenceDesc, createdDesc, builtinDesc, ageDesc, publishedDesc, addressesDesc, heldDesc, heldSinceDesc, unparsedDesc,
	} {
		ch <- d
	}
}

func (c *listCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	status := c.s.Status()
	gauge(buildDesc, 1, cmp.Or(c.s.cfg.Version, "unknown"), runtime.Version())
	gauge(readyDesc, truth(status.Ready))
	gauge(refusalDesc, truth(status.Refusal != ""))
	gauge(canariesDesc, float64(status.CanariesPassed), "passed")
	gauge(canariesDesc, float64(status.CanariesFailed), "failed")
	gauge(canariesDesc, float64(status.CanariesDelisted), "delisted")
	sv := c.s.current.Load()
	if sv == nil {
		return
	}
	gauge(sequenceDesc, float64(sv.Snapshot.Sequence))
	gauge(createdDesc, float64(sv.Snapshot.CreatedAt.UnixMilli())/1000)
	now := c.s.cfg.Now()
	for i := range sv.Snapshot.Lists() {
		list := &sv.Snapshot.Lists()[i]
		counts, id := sv.index.Counts(list.ID), string(list.ID)
		gauge(builtinDesc, truth(sv.Builtin[list.ID]), id)
		gauge(ageDesc, sv.age(list, now).Seconds(), id)
		if limit := c.s.limit(sv, list.ID); limit > 0 {
			gauge(maxAgeDesc, limit.Seconds(), id)
		}
		if at := sv.Verified[list.ID].At; !at.IsZero() {
			gauge(verifiedDesc, float64(at.UnixMilli())/1000, id)
		}
		gauge(publishedDesc, float64(list.Current().PublishedOn.Time().Unix()), id)
		gauge(addressesDesc, float64(counts.Addresses), id)
		gauge(unparsedDesc, float64(counts.Unparsed), id)
		if sv.Verified[list.ID].Held == nil {
			gauge(heldDesc, 0, id)
		}
	}
	for _, h := range sv.holds {
		gauge(heldDesc, 1, string(h.list))
		gauge(heldSinceDesc, float64(h.Since.UnixMilli())/1000, string(h.list))
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
