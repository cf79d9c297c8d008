package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "walletscreen/proto/walletscreen/v1"
)

// metrics are what the server counts. No label holds anything of a request but
// verdicts, reasons and codes.
type metrics struct {
	duration *prometheus.HistogramVec
	verdicts *prometheus.CounterVec
	reasons  *prometheus.CounterVec
	swaps    prometheus.Counter
	panics   prometheus.Counter

	regressions *prometheus.CounterVec
}

func newMetrics(s *Server, reg prometheus.Registerer) *metrics {
	m := &metrics{
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "walletscreen_screen_duration_seconds",
			Help:    "Time to answer one ScreenAddresses request, without the network, by gRPC code.",
			Buckets: []float64{25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 250e-3, 1},
		}, []string{"code"}),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "walletscreen_addresses_total", Help: "Addresses screened, by verdict.",
		}, []string{"verdict"}),
		reasons: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "walletscreen_reasons_total", Help: "Addresses for which a stronger answer was not possible, by reason.",
		}, []string{"reason"}),
		swaps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "walletscreen_swaps_total", Help: "States taken over: new snapshots and news of their freshness.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "walletscreen_panics_total", Help: "Calls that ended in a defect of the server.",
		}),
	}
	m.regressions = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "walletscreen_list_regressions_total", Help: "New snapshots in which a list was gone or older than before.",
	}, []string{"list"})
	if reg != nil {
		reg.MustRegister(m.duration, m.verdicts, m.reasons, m.swaps, m.panics, m.regressions, &listCollector{s})
	}
	return m
}

// observe counts one ScreenAddresses call.
func (m *metrics) observe(res *pb.ScreenAddressesResponse, err error, took time.Duration) {
	code := codes.OK
	if err != nil {
		code = status.Code(err)
	}
	m.duration.WithLabelValues(code.String()).Observe(took.Seconds())
	var verdicts [int(pb.Verdict_VERDICT_NOT_LISTED) + 1]int
	for _, r := range res.GetResults() {
		verdicts[r.Verdict]++
		if r.Reason != pb.Reason_REASON_UNSPECIFIED {
			m.reasons.WithLabelValues(r.Reason.String()).Inc()
		}
	}
	for v, n := range verdicts {
		if n > 0 {
			m.verdicts.WithLabelValues(pb.Verdict(v).String()).Add(float64(n))
		}
	}
}

// listCollector reports the state of what is served when it is asked.
type listCollector struct{ s *Server }

var (
	readyDesc     = prometheus.NewDesc("walletscreen_ready", "1 when addresses can be screened correctly now.", nil, nil)
	sequenceDesc  = prometheus.NewDesc("walletscreen_snapshot_sequence", "Sequence number of the snapshot that is served.", nil, nil)
	createdDesc   = prometheus.NewDesc("walletscreen_snapshot_created_timestamp_seconds", "When that snapshot was published.", nil, nil)
	builtinDesc   = prometheus.NewDesc("walletscreen_list_builtin", "1 when the list is the builtin default.", []string{"list"}, nil)
	ageDesc       = prometheus.NewDesc("walletscreen_list_age_seconds", "Time since the list was compared with its publisher.", []string{"list"}, nil)
	publishedDesc = prometheus.NewDesc("walletscreen_list_published_timestamp_seconds", "The publisher's date of the publication that is loaded.", []string{"list"}, nil)
	addressesDesc = prometheus.NewDesc("walletscreen_list_addresses", "Distinct addresses listed now.", []string{"list"}, nil)
	heldDesc      = prometheus.NewDesc("walletscreen_list_held", "1 when a guard stopped another publication of the list, also of a list that is not served for that.", []string{"list"}, nil)
	heldSinceDesc = prometheus.NewDesc("walletscreen_list_held_since_timestamp_seconds", "When a guard first stopped that publication.", []string{"list"}, nil)
	unparsedDesc  = prometheus.NewDesc("walletscreen_list_unparsed_addresses", "Of these, how many only match their own text.", []string{"list"}, nil)
)

func (c *listCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		readyDesc, sequenceDesc, createdDesc, builtinDesc, ageDesc, publishedDesc, addressesDesc, heldDesc, heldSinceDesc, unparsedDesc,
	} {
		ch <- d
	}
}

func (c *listCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(readyDesc, truth(c.s.Ready()))
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
