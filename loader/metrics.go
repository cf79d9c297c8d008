package loader

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are what a loader that stays tells of its runs. Labels hold ids of lists
// and outcomes.
type Metrics struct {
	imports    *prometheus.CounterVec
	lastRun    *prometheus.GaugeVec
	lastGood   *prometheus.GaugeVec
	held       *prometheus.GaugeVec
	unexpected *prometheus.GaugeVec
	duration   *prometheus.HistogramVec
	bytes      *prometheus.CounterVec
}

// NewMetrics returns metrics that are registered with reg.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	list := []string{"list"}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "walletscreen_load_" + name, Help: help}, list)
	}
	m := &Metrics{
		imports: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "walletscreen_load_imports_total", Help: "Imports of a list, by outcome: published, unchanged, not-due, held, failed.",
		}, []string{"list", "outcome"}),
		lastRun:  gauge("last_run_timestamp_seconds", "When the last import of the list ended."),
		lastGood: gauge("last_success_timestamp_seconds", "When the last import ended that published the list or found it unchanged."),
		held:     gauge("held", "1 while a publication of the list is held by a guard."),
		unexpected: gauge("unexpected",
			"How much the publication that was read last holds that this program has no rule for: unknown elements, unknown symbols, texts that cannot be read."),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "walletscreen_load_duration_seconds", Help: "Time that an import took, the download included.",
			Buckets: []float64{0.1, 0.5, 1, 5, 15, 60, 300, 1200},
		}, list),
		bytes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "walletscreen_load_bytes_total", Help: "Bytes of documents that were read, as they came.",
		}, list),
	}
	reg.MustRegister(m.imports, m.lastRun, m.lastGood, m.held, m.unexpected, m.duration, m.bytes)
	return m
}

// Observe counts the report of one import.
func (m *Metrics) Observe(r *Report) {
	at := float64(time.Now().UnixMilli()) / 1000
	list := string(r.List)
	m.imports.WithLabelValues(list, string(r.Outcome)).Inc()
	m.lastRun.WithLabelValues(list).Set(at)
	m.bytes.WithLabelValues(list).Add(float64(r.Size))
	m.duration.WithLabelValues(list).Observe(r.Took.Seconds())
	switch r.Outcome {
	case Held:
		m.held.WithLabelValues(list).Set(1)
	case Published, Unchanged, NotDue:
		m.held.WithLabelValues(list).Set(0)
		m.lastGood.WithLabelValues(list).Set(at)
	}
	if r.Source != "" && r.Size > 0 {
		n := 0
		for _, count := range r.Unexpected {
			n += count
		}
		m.unexpected.WithLabelValues(list).Set(float64(n))
	}
}
