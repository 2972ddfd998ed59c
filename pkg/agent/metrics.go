// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/runc-trace/runc-trace/pkg/archive"
	"github.com/runc-trace/runc-trace/pkg/bpf"
	"github.com/runc-trace/runc-trace/pkg/status"
	"github.com/runc-trace/runc-trace/pkg/unregistered"
)

// metrics are the metrics for Prometheus. Containers cannot choose the value of any label.
type metrics struct {
	registry *prometheus.Registry
	agent    *Agent

	// Metrics of the agent itself.
	updates, truncated, full, failed *prometheus.CounterVec // by source
	adopted, swept, sweeps           prometheus.Counter
}

func newMetrics(a *Agent) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "runc_trace_agent_" + name, Help: help})
	}
	bySource := func(name, help string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "runc_trace_agent_" + name, Help: help},
			[]string{"source"})
		for _, s := range []bpf.LabelSource{bpf.SourceKubernetes, bpf.SourceCRI, bpf.SourceDocker} {
			v.WithLabelValues(s.String())
		}
		return v
	}
	m := &metrics{
		registry: prometheus.NewRegistry(), agent: a,
		updates:   bySource("label_updates_total", "New or changed labels of pods and containers that were written."),
		truncated: bySource("labels_truncated_total", "Labels of pods and containers that were truncated."),
		full:      bySource("labels_full_total", "Writes of labels that failed because no room was left; they are retried."),
		failed:    bySource("labels_failed_total", "Writes of labels that failed for another reason."),
		adopted:   counter("adopted_total", "Containers that were registered because they ran before the programs were loaded."),
		swept:     counter("swept_total", "Labels that were deleted because their pod or container is gone."),
		sweeps:    counter("sweeps_total", "Searches for labels to delete."),
	}
	m.registry.MustRegister(m, m.updates, m.truncated, m.full, m.failed, m.adopted, m.swept, m.sweeps,
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("runc_trace_"+name, help, labels, nil)
}

var (
	buildInfo     = desc("build_info", "The version of this program; always 1.", "version")
	active        = desc("agent_active", "1 if this agent is active, 0 if it waits for another one.")
	sourceUp      = desc("agent_source_up", "1 if a source of labels answers. Unused sources are not shown.", "source")
	isLoaded      = desc("loaded", "1 if programs are loaded.")
	loadedInfo    = desc("loaded_info", "Layout of the loaded maps and build of the loaded programs; always 1.", "layout", "build")
	memoryBytes   = desc("memory_bytes", "Memory of all maps, as the kernel accounts it.")
	dropped       = desc("dropped_total", "Dropped events, by reason; tracectl status explains the reasons.", "reason")
	notRegistered = desc("unregistered_total", "Containers that runc-trace could not register since boot, by reason; tracectl status explains the reasons.", "reason")
	missed        = desc("program_missed_total", "Times that a program was skipped because of recursion. Shown only with CAP_SYS_ADMIN.", "program")
	containers    = desc("identities", "Known containers by state, and free slots.", "state")
	identityPool  = desc("identities_limit", "Maximum number of known containers.")
	recordings    = desc("recordings", "Recordings by state: of live containers, of ended containers, free.", "state")
	ringPool      = desc("recordings_limit", "Maximum number of recordings.")
	ringSize      = desc("recording_size_bytes", "Size of each recording.")
	ringLost      = desc("recordings_lost", "Calls that could not be written to current recordings.")
	ringReach     = desc("recordings_reach_seconds", "How far back full recordings have every call.", "quantile")
	incomplete    = desc("containers_incomplete", "Containers that have not ended and are not recorded in full.")
	threads       = desc("threads", "Threads of containers for which the kernel keeps memory.")
	execs         = desc("execs_total", "Execs that were logged.")
	execsLost     = desc("execs_lost_total", "Execs that could not be logged.")
	execBytes     = desc("exec_log_written_bytes_total", "Bytes written to the log of execs.")
	execSize      = desc("exec_log_size_bytes", "Size of the log of execs.")

	archived        = desc("archive_recordings_total", "Recordings to be saved, by what became of them.", "outcome")
	archiveProblems = desc("archive_problem", "1 if the last attempt to save or copy a recording failed.", "step")
)

// Describe is called when the metrics are registered.
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		buildInfo, active, sourceUp, isLoaded, loadedInfo, memoryBytes, dropped, notRegistered, missed, containers,
		identityPool, recordings, ringPool,
		ringSize, ringLost, ringReach, incomplete, threads, execs, execsLost, execBytes, execSize,
		archived, archiveProblems,
	} {
		to <- d
	}
}

// Collect is called at each scrape.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	gauge(buildInfo, 1, m.agent.config.Version)
	for source, c := range m.agent.health.conditions() {
		if c != off {
			gauge(sourceUp, number(c == up), source.String())
		}
	}
	loaded, isActive := m.agent.health.works()
	gauge(active, number(isActive))
	gauge(isLoaded, number(loaded))
	if failed, err := unregistered.Read(); err != nil {
		m.agent.config.Log.WithError(err).Debug("could not read unregistered containers for metrics")
	} else {
		for n, count := range failed {
			to <- prometheus.MustNewConstMetric(notRegistered, prometheus.CounterValue, float64(count),
				status.Unregistered[n].Name)
		}
	}
	if m.agent.config.Archive != nil {
		collectArchive(m.agent.counts.get(), m.agent.config.Archive.Bucket != nil, to)
	}
	l, done := m.agent.borrow()
	defer done()
	if l == nil || l.status == nil {
		return
	}
	s, err := l.status()
	if err != nil {
		m.agent.config.Log.WithError(err).Debug("could not read the status for metrics")
		return
	}
	if s.ProgramsErr != nil {
		m.agent.config.Log.WithError(s.ProgramsErr).Debug("could not look at all programs for metrics")
	}
	collect(s, to)
}

// collectArchive sends the metrics of an archive.
func collectArchive(c archive.Counts, copies bool, to chan<- prometheus.Metric) {
	outcomes := map[string]uint64{"saved": c.Saved, "removed": c.Removed, "missed": c.Missed, "limited": c.Limited,
		"failed": c.Failed}
	problems := map[string]string{"save": c.Problem}
	if copies {
		outcomes["copied"], outcomes["uncopied"], problems["copy"] = c.Copied, c.Uncopied, c.CopyProblem
	}
	for outcome, n := range outcomes {
		to <- prometheus.MustNewConstMetric(archived, prometheus.CounterValue, float64(n), outcome)
	}
	for step, problem := range problems {
		to <- prometheus.MustNewConstMetric(archiveProblems, prometheus.GaugeValue, number(problem != ""), step)
	}
}

func number(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// collect sends the metrics of a status.
func collect(s *status.Status, to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter := func(d *prometheus.Desc, value uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	gauge(loadedInfo, 1, fmt.Sprint(s.Layout), fmt.Sprintf("%016x", s.Build))
	gauge(memoryBytes, float64(s.Memory))
	for _, d := range s.Dropped {
		counter(dropped, d.Count, d.Name)
	}
	for _, p := range s.Programs {
		counter(missed, p.Missed, p.Name)
	}
	i := s.Identities
	gauge(identityPool, float64(s.Pool.Identities))
	gauge(containers, float64(i.Free), "free")
	gauge(containers, float64(i.Created), "created")
	gauge(containers, float64(i.Running), "running")
	gauge(containers, float64(i.Exited), "exited")
	gauge(containers, float64(i.Ended), "ended")
	r := s.Recordings
	gauge(ringPool, float64(s.Pool.Rings))
	gauge(ringSize, float64(s.Pool.RingSize))
	gauge(recordings, float64(r.Free), "free")
	gauge(recordings, float64(r.Live), "live")
	gauge(recordings, float64(r.Ended), "ended")
	gauge(ringLost, float64(r.Lost))
	if r.Reach.Recordings > 0 {
		gauge(ringReach, r.Reach.Shortest.Seconds(), "0")
		gauge(ringReach, r.Reach.Median.Seconds(), "0.5")
	}
	gauge(incomplete, float64(len(s.Incomplete)))
	gauge(threads, float64(i.Threads))
	gauge(execSize, float64(s.Pool.ExecLogSize))
	counter(execs, s.ExecLog.Execs)
	counter(execsLost, s.ExecLog.Lost)
	counter(execBytes, s.ExecLog.Written)
}
