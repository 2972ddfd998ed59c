// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf"
)

// dockerSockets are the usual sockets of Docker.
var dockerSockets = []string{"/run/docker.sock", "/var/run/docker.sock"}

// dockerWait is the longest time between two attempts to reach Docker: names should be known soon after it was
// restarted.
const dockerWait = 4 * time.Second

// inspectLimit is the limit of an answer, which contains data chosen by the image's author and the container's
// owner.
const inspectLimit = 4 << 20

// dockerSource learns the names, images and labels of Docker's containers: it follows Docker's events, and requests
// containers for which it received none.
type dockerSource struct {
	paths    []string
	writer   *labelWriter
	endpoint *endpoint
	queue    *queue

	since time.Time // time of the last event
}

func newDockerSource(socket string, l *labelWriter, h *health) *dockerSource {
	s := &dockerSource{
		paths: dockerSockets, writer: l, endpoint: h.endpoint(bpf.SourceDocker, ""), queue: newQueue(),
		since: time.Now().Add(-replay),
	}
	if socket != "" {
		s.paths = []string{strings.TrimPrefix(socket, "unix://")}
	}
	return s
}

// look asks for a container by its ID, unless an event described it.
func (s *dockerSource) look(id string) {
	if !s.writer.has(subject{bpf.SourceDocker, id}) {
		s.queue.add(id)
	}
}

// run asks until the context ends.
func (s *dockerSource) run(ctx context.Context) {
	wait := backoff{most: dockerWait}
	for ctx.Err() == nil {
		path, ok := s.socket()
		if !ok {
			s.endpoint.off("its socket does not exist")
			sleep(ctx, pace.poll)
			continue
		}
		if err := s.serve(ctx, path, wait.reset); ctx.Err() == nil {
			s.endpoint.down(err)
		}
		wait.wait(ctx)
	}
}

func (s *dockerSource) socket() (string, bool) {
	for _, path := range s.paths {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path, true
		}
	}
	return "", false
}

// serve asks until Docker does not answer.
func (s *dockerSource) serve(ctx context.Context, path string, answered func()) error {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		},
		MaxIdleConns: 1, IdleConnTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport: transport, Timeout: pace.request,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var events sync.WaitGroup
	following, stop := context.WithCancel(ctx)
	defer events.Wait()
	defer stop()
	ended := make(chan struct{}, 1) // the stream of events has ended, perhaps because Docker has
	var followed bool
	var nextPing time.Time
	for ctx.Err() == nil {
		if !time.Now().Before(nextPing) {
			code, err := s.get(ctx, client, "/_ping", nil)
			if err == nil && code != http.StatusOK {
				err = fmt.Errorf("status %d", code)
			}
			if err != nil {
				return fmt.Errorf("pinging Docker: %w", err)
			}
			nextPing = time.Now().Add(pace.list)
			answered()
			s.endpoint.up()
		}
		if !followed {
			followed = true
			endless := *client
			endless.Timeout = 0
			events.Go(func() { s.follow(following, &endless, ended) })
		}
		due, wait := s.queue.due(time.Now())
		for _, id := range due {
			if !s.ask(ctx, client, id) {
				nextPing = time.Time{}
				break
			}
		}
		if len(due) > 0 {
			continue
		}
		timer := time.NewTimer(min(wait, time.Until(nextPing)))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-s.queue.wake:
		case <-ended:
			nextPing = time.Time{}
		}
		timer.Stop()
	}
	return nil
}

// ask stores Docker's data of a container. The caller has validated the ID: see queue.add. It returns false if
// there was no answer.
func (s *dockerSource) ask(ctx context.Context, client *http.Client, id string) bool {
	var answer struct {
		Name   string
		Config struct {
			Image  string
			Labels map[string]string
		}
	}
	code, err := s.get(ctx, client, "/containers/"+id+"/json", &answer)
	var unreadable *answerError
	switch {
	case errors.As(err, &unreadable):
		// Its labels or its name exist, but cannot be read.
		s.writer.put(subject{bpf.SourceDocker, id}, bpf.Labels{Truncated: true})
		s.queue.found(id)
	case err != nil:
		s.queue.missing(id, time.Now()) // unknown or too slow: others come first
		return false
	case code == http.StatusNotFound && s.writer.has(subject{bpf.SourceDocker, id}): // removed after its event
		s.queue.found(id)
	case code != http.StatusOK:
		s.queue.missing(id, time.Now())
	default:
		s.writer.put(subject{bpf.SourceDocker, id}, bpf.Labels{
			Name: strings.TrimPrefix(answer.Name, "/"), Image: answer.Config.Image, Set: answer.Config.Labels,
		})
		s.queue.found(id)
	}
	return true
}

// answerError is returned for an answer that is too long, or not JSON of the expected form.
type answerError struct{ err error }

func (e *answerError) Error() string { return e.err.Error() }

// get makes a request, and decodes the answer into an object unless it is nil.
func (s *dockerSource) get(ctx context.Context, client *http.Client, path string, object any) (code int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker"+path, nil)
	if err != nil {
		return 0, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, inspectLimit+1))
	switch {
	case err != nil:
		return 0, err
	case answer.StatusCode != http.StatusOK || object == nil:
		return answer.StatusCode, nil
	case len(body) > inspectLimit:
		return 0, &answerError{fmt.Errorf("the answer is longer than %d bytes", inspectLimit)}
	}
	if err := json.Unmarshal(body, object); err != nil {
		return 0, &answerError{err}
	}
	return answer.StatusCode, nil
}
