// SPDX-License-Identifier: Apache-2.0

package agent

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/runc-trace/runc-trace/pkg/bpf"
)

// dockerEvent is Docker's event for creating, starting or renaming a container. Its attributes are the container's
// labels, plus its name and image as "name" and "image".
type dockerEvent struct {
	Action string
	Actor  struct {
		ID         string
		Attributes map[string]string
	}
	TimeNano int64 `json:"timeNano"`
}

// replay is how far back the first request for events goes. Docker keeps the last 256 events of all kinds.
const replay = 24 * time.Hour

// follow handles Docker's events, including those since it was last connected, until the context ends. It sends to
// ended when the stream has ended and follow starts over. Containers that are removed when they end are known only
// from their events.
func (s *dockerSource) follow(ctx context.Context, client *http.Client, ended chan<- struct{}) {
	refused := ""
	for ctx.Err() == nil {
		err := s.stream(ctx, client)
		var status statusError
		if !errors.As(err, &status) {
			select {
			case ended <- struct{}{}:
			default:
			}
		} else if text := err.Error(); text != refused {
			refused = text
			s.writer.log.WithError(err).Warn("Docker refuses to stream its events: short-lived containers may have no name")
		}
		sleep(ctx, pace.poll)
	}
}

// statusError is a status that refuses a request.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("status %d", int(e)) }

// stream follows events until the stream ends. It never returns nil.
func (s *dockerSource) stream(ctx context.Context, client *http.Client) error {
	since := s.since
	query := url.Values{
		"since":   {fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond())},
		"filters": {`{"type":["container"],"event":["create","start","rename"]}`},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/events?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return statusError(answer.StatusCode)
	}
	lines := bufio.NewReaderSize(answer.Body, 4<<10)
	for {
		line, err := readLine(lines, inspectLimit)
		if err != nil {
			return err
		}
		var e dockerEvent
		if json.Unmarshal(line, &e) == nil && mayBeID(e.Actor.ID) && time.Unix(0, e.TimeNano).After(since) {
			s.hear(&e)
		}
	}
}

// readLine reads up to the next newline; it returns an empty line for one longer than limit. The error at the end
// is io.EOF.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for tooLong := false; ; {
		part, err := r.ReadSlice('\n')
		if tooLong = tooLong || len(line)+len(part) > limit; tooLong {
			line = nil
		} else {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSpace(line), err
		}
	}
}

// hear stores the data of an event at once, and then requests the container: an event cannot show labels called
// "name" and "image". An old event counts only if the container's name is being looked for.
func (s *dockerSource) hear(e *dockerEvent) {
	at, id := time.Unix(0, e.TimeNano), e.Actor.ID
	if at.After(s.since) && at.Before(time.Now().Add(time.Minute)) {
		s.since = at
	}
	of := subject{bpf.SourceDocker, id}
	if e.Action != "rename" && s.writer.has(of) || time.Since(at) > pace.grace && !s.queue.has(id) {
		return
	}
	labels := maps.Clone(e.Actor.Attributes)
	delete(labels, "name")
	delete(labels, "image")
	if e.Action == "rename" {
		delete(labels, "oldName")
	}
	s.writer.put(of, bpf.Labels{Name: e.Actor.Attributes["name"], Image: e.Actor.Attributes["image"], Set: labels})
	s.queue.add(id)
}
