// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func TestSocket(t *testing.T) {
	unit := func(name, exec string) string {
		return "-- /etc/systemd/system/" + name + ".service --\n[Service]\nExecStart=/usr/bin/" + exec + "\n"
	}
	for name, test := range map[string]struct {
		engine Engine
		tree   string
		want   string
	}{
		"containerd": {Engine{Kind: Containerd}, "", "/run/containerd/containerd.sock"},
		"its configuration": {Engine{Kind: Containerd},
			"-- /etc/c.toml --\nversion = 2\n[grpc]\naddress = \"/run/c.sock\"\n", "/run/c.sock"},
		"of version 4": {Engine{Kind: Containerd, Version: "2.4.2"},
			"-- /etc/c.toml --\nversion = 4\n[plugins.'io.containerd.server.v1.grpc']\naddress = '/run/4.sock'\n",
			"/run/4.sock"},
		"its unit": {Engine{Kind: Containerd, Unit: "containerd.service"},
			unit("containerd", "containerd --address=/run/u.sock") +
				"-- /etc/c.toml --\nversion = 2\n[grpc]\naddress = \"/run/c.sock\"\n", "/run/u.sock"},
		"the unit's file": {Engine{Kind: Containerd, Unit: "containerd.service"},
			unit("containerd", "containerd -c /etc/new.toml") +
				"-- /etc/new.toml --\nversion = 2\n[grpc]\naddress = \"/run/n.sock\"\n", "/run/n.sock"},
		"containerd, no CRI": {Engine{Kind: Containerd}, "-- /etc/c.toml --\nversion = 2\ndisabled_plugins = [\"cri\"]\n", ""},
		"k3s":                {Engine{Kind: Containerd, Variant: "k3s"}, "", "/run/k3s/containerd/containerd.sock"},
		"CRI-O":              {Engine{Kind: CRIO}, "", "/var/run/crio/crio.sock"},
		"CRI-O's drop-in": {Engine{Kind: CRIO},
			"-- /etc/crio/crio.conf.d/10.conf --\n[crio.api]\nlisten = \"/run/o.sock\"\n", "/run/o.sock"},
		"CRI-O's unit": {Engine{Kind: CRIO, Unit: "crio.service"},
			unit("crio", "crio --listen unix:///run/u.sock"), "/run/u.sock"},
		"Docker": {Engine{Kind: Docker}, "", "/var/run/docker.sock"},
		"Docker's hosts": {Engine{Kind: Docker},
			"-- /etc/c.toml --\n{\"hosts\": [\"tcp://127.0.0.1:2376\", \"unix:///run/d.sock\"]}\n", "/run/d.sock"},
		"Docker by systemd": {Engine{Kind: Docker, Unit: "docker.service"},
			unit("docker", "dockerd -H tcp://127.0.0.1:2376 -H fd://"), "/var/run/docker.sock"},
		"Docker by network": {Engine{Kind: Docker, Unit: "docker.service"},
			unit("docker", "dockerd --host=tcp://127.0.0.1:2376"), ""},
		"Podman": {Engine{Kind: Podman}, "", ""},
	} {
		test.engine.Config = "/etc/c.toml"
		got, err := test.engine.Socket(tree(t, test.tree))
		if err != nil || got != test.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, test.want)
		}
	}
}

// cri is a runtime service that only implements Version.
type cri struct {
	runtime.UnimplementedRuntimeServiceServer
}

func (cri) Version(context.Context, *runtime.VersionRequest) (*runtime.VersionResponse, error) {
	return &runtime.VersionResponse{Version: "0.1.0", RuntimeName: "test"}, nil
}

func TestAnswers(t *testing.T) {
	dir := t.TempDir()
	listen := func(name string) net.Listener {
		t.Helper()
		l, err := net.Listen("unix", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() }) // the reference also prevents its collection, which would close it
		return l
	}
	serve := func(name string, register func(*grpc.Server)) {
		s := grpc.NewServer()
		register(s)
		l := listen(name)
		go s.Serve(l)
		t.Cleanup(s.Stop)
	}
	serve("whole", func(s *grpc.Server) { runtime.RegisterRuntimeServiceServer(s, cri{}) })
	serve("no-cri", func(*grpc.Server) {})
	listen("mute") // never accepts
	for name, code := range map[string]int{"docker": http.StatusOK, "broken": http.StatusInternalServerError} {
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/_ping" {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			w.WriteHeader(code)
		})}
		l := listen(name)
		go server.Serve(l)
		t.Cleanup(func() { server.Close() })
	}
	for _, test := range []struct {
		kind   Kind
		socket string
		want   string
	}{
		{Containerd, "whole", ""},
		{Containerd, "no-cri", "unknown service runtime.v1.RuntimeService"},
		{Containerd, "absent", "no such file or directory"},
		{CRIO, "whole", ""},
		{CRIO, "absent", "asking crio at " + dir + "/absent: "},
		{CRIO, "mute", "it did not answer in time"},
		{Docker, "docker", ""},
		{Docker, "broken", "it answered 500 Internal Server Error"},
		{Docker, "mute", "it did not answer in time"},
		{Docker, "absent", "no such file or directory"},
		{Podman, "absent", ""},
	} {
		socket := filepath.Join(dir, test.socket)
		text := map[Kind]string{
			Containerd: "version = 2\n[grpc]\naddress = \"" + socket + "\"\n",
			CRIO:       "[crio.api]\nlisten = \"" + socket + "\"\n",
			Docker:     `{"hosts": ["unix://` + socket + `"]}`,
		}[test.kind]
		h := Host{Root: t.TempDir()}
		if err := os.WriteFile(filepath.Join(h.Root, "config"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if test.socket == "mute" {
			cancel()
			ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
		}
		err := Engine{Kind: test.kind, Config: "/config"}.Answers(ctx, h)
		cancel()
		if got := message(err); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%s at %s: %q, want %q", test.kind, test.socket, got, test.want)
		}
	}
}
