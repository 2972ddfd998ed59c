// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"

	"github.com/runc-trace/runc-trace/pkg/adopt"
	"github.com/runc-trace/runc-trace/pkg/agent"
	"github.com/runc-trace/runc-trace/pkg/archive"
	"github.com/runc-trace/runc-trace/pkg/boottime"
	"github.com/runc-trace/runc-trace/pkg/bucket"
	"github.com/runc-trace/runc-trace/pkg/config"
)

const agentLong = `Add labels that are unknown when a container is created: labels of its pod, from the
API server and the container engine, including later changes, and the container's name
in Docker. The agent also adopts containers that ran before the programs were loaded:
it registers them, and they are traced from then on (see "adopt" in the configuration).
Tracing does not depend on the agent: it only adds labels. If the configuration has a
directory in [archive], the agent saves recordings of containers that failed there.

The sources are independent of each other, and each is used if it is available:

  kubernetes  watches the metadata of the pods on --node, either in a pod whose service
              account may list and watch pods, or with a --kubeconfig such as the
              kubelet's (/etc/kubernetes/kubelet.conf)
  cri         the sockets of containerd and CRI-O; needs no credentials
  docker      Docker's socket

If nothing is loaded, the agent waits. A second agent waits until the first one ends.
An agent can be killed at any time: labels that it stored stay, and the next agent
continues.

--listen serves /metrics for Prometheus, /healthz (the agent runs) and /readyz
(programs are loaded, and a source answers). If the address is in use, the agent logs
a warning and serves when the address is free. Every process on the node can connect
there, so probes should use --check: it asks the running agent over a socket that only
root can open. If the answer is no, it prints the reason and exits with code 1.

The agent needs CAP_BPF, CAP_PERFMON and user ID 0.`

func newAgent(s *settings) *cobra.Command {
	c := &cobra.Command{
		Use:   "agent",
		Short: "Add labels of pods and containers, and serve metrics",
		Long:  agentLong,
		Example: `  tracectl agent --kubeconfig /etc/kubernetes/kubelet.conf
  tracectl agent --listen unix:///run/runc-trace/agent.sock
  tracectl agent --check=ready
  tracectl agent --cri-endpoint /run/containerd/containerd.sock --listen ''`,
		Args: exactly(0),
	}
	flags := c.Flags()
	var of agent.Config
	flags.StringVar(&of.Node, "node", "", "name of the node in Kubernetes (default: $NODE_NAME, or the host's name)")
	flags.StringVar(&of.Kubeconfig, "kubeconfig", "", "kubeconfig file (default: the pod's service account)")
	flags.StringArrayVar(&of.CRIEndpoints, "cri-endpoint", nil,
		"CRI socket; repeatable (default: all found of containerd, k3s, rke2 and CRI-O)")
	flags.StringVar(&of.DockerSocket, "docker-socket", "",
		"Docker socket (default: /run/docker.sock, or /var/run/docker.sock)")
	listen := flags.String("listen", "127.0.0.1:7467", "serve metrics and health at HOST:PORT or unix:///PATH; empty: off")
	noAdopt := flags.Bool("no-adopt", false, "do not adopt running containers, even if the configuration says so")
	socket := flags.String("check-socket", agent.CheckSocket, "socket for --check, open to root only; empty: off")
	check := addChoice(c, "check", "", "ask the running agent if it is alive or ready, then exit", "alive", "ready")
	flags.Lookup("check").DefValue, flags.Lookup("check").NoOptDefVal = "", "alive"
	output := addChoice(c, "output", "o", "log format, on stderr", "text", "json")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if flags.Changed("check") {
			question := map[string]string{"alive": agent.CheckAlive, "ready": agent.CheckReady}[check.word]
			return agent.Check(c.Context(), *socket, question)
		}
		var err error
		if of.Dir, err = s.directory(); err != nil {
			return err
		}
		configured, err := s.configuration()
		if err != nil {
			return err
		}
		of.KeepLabels = configured.Labels.Keep
		if configured.Adopt && !*noAdopt {
			of.Adopt = func(ctx context.Context, dir string) (int, error) {
				report, err := adopt.Host{}.Run(ctx, dir, configured.Rules())
				return report.Adopted, err
			}
		}
		if of.Node == "" {
			if of.Node, err = nodeName(); err != nil {
				return err
			}
		}
		var at *agent.Address
		if *listen != "" {
			parsed, err := agent.ParseAddress(*listen)
			if err != nil {
				return &usageError{c, fmt.Errorf("--listen %q: must be HOST:PORT or unix:///PATH", *listen)}
			}
			at = &parsed
		}
		of.Log = newLog(c.ErrOrStderr(), output.word)
		if of.Archive, err = archiveOf(&configured, of.Node); err != nil {
			of.Log.WithError(err).Error("no recordings are saved: correct the configuration") // labels do not depend on it
		}
		of.Version = version
		return runAgent(agent.New(of), at, *socket)
	}
	return c
}

// archiveOf returns where and which recordings are saved, or nil if none are.
func archiveOf(configured *config.Config, host string) (*agent.Archive, error) {
	c := &configured.Archive
	if c.Directory == "" {
		return nil, nil
	}
	rules, err := agent.NewArchiveRules(c.Status, c.Namespaces, c.Labels, c.PerHour)
	if err != nil {
		return nil, err
	}
	a := &agent.Archive{Path: c.Directory, Rules: rules, Host: host, Limits: archive.Limits{Bytes: int64(c.MaxBytes),
		Files: c.MaxFiles, Age: time.Duration(c.MaxDays) * 24 * time.Hour}}
	if a.Boot, err = boottime.ID(); err != nil {
		return nil, err
	}
	if a.Secrets, err = secretsOf(*configured); err != nil {
		return nil, err
	}
	if c.Bucket != "" {
		if a.Bucket, err = bucket.Open(c.Bucket, host); err != nil {
			return nil, fmt.Errorf("archive.bucket: %w", err)
		}
	}
	return a, nil
}

// nodeName returns the kubelet's default name for this host.
func nodeName() (string, error) {
	if name := os.Getenv("NODE_NAME"); name != "" {
		return name, nil
	}
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("getting the host's name: %w", err)
	}
	return strings.ToLower(strings.TrimSpace(name)), nil
}

// newLog returns the logger for the agent's messages. It omits those of the Kubernetes client, because the agent
// reports its sources' answers itself.
func newLog(w io.Writer, form string) *logrus.Logger {
	klog.SetLogger(klog.New(nil))
	log := logrus.New()
	log.SetOutput(w)
	if form == "json" {
		log.SetFormatter(&logrus.JSONFormatter{TimestampFormat: time.RFC3339Nano})
	} else {
		log.SetFormatter(&logrus.TextFormatter{FullTimestamp: true, DisableColors: true})
	}
	return log
}

// runAgent runs until it receives a signal.
func runAgent(a *agent.Agent, at *agent.Address, checks string) error {
	agent.LimitMemory()
	signalled, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	context.AfterFunc(signalled, stop) // a second signal kills the process

	work, ctx := errgroup.WithContext(signalled)
	work.Go(func() error { a.Run(ctx); return nil })
	if checks != "" {
		work.Go(func() error { a.ServeChecks(ctx, checks); return nil })
	}
	if at != nil {
		work.Go(func() error { return a.Serve(ctx, *at) })
	}
	ended := make(chan error, 1)
	go func() { ended <- work.Wait() }()
	go notify(ctx, a)
	<-ctx.Done() // a signal arrived, or one of both failed
	_, _ = daemon.SdNotify(false, daemon.SdNotifyStopping)
	select {
	case err := <-ended:
		return err
	case <-time.After(5 * time.Second): // exit even if they are still running: nothing is lost
		if signalled.Err() != nil {
			return nil
		}
		return context.Cause(ctx)
	}
}

// notify tells systemd that the agent runs, and keeps doing so, if systemd expects it.
func notify(ctx context.Context, a *agent.Agent) {
	told, err := daemon.SdNotify(false, daemon.SdNotifyReady)
	if err != nil || !told {
		return
	}
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	ticker := time.NewTicker(interval / 2)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if a.Alive() == nil {
				_, _ = daemon.SdNotify(false, daemon.SdNotifyWatchdog)
			}
		}
	}
}
