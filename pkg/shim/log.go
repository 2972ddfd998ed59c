// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"os"
	"syscall"

	"github.com/sirupsen/logrus"

	"github.com/runc-trace/runc-trace/pkg/config"
)

// note writes one line to the shim's own log, if it has one. It never fails, prints or
// waits: the file is opened for this line only, and what cannot be written is lost.
func note(c config.Config, level logrus.Level, message string, fields logrus.Fields) {
	if c.Log == "" {
		return
	}
	threshold, err := logrus.ParseLevel(c.LogLevel)
	if err != nil || level > threshold {
		return
	}
	file, err := os.OpenFile(c.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND|syscall.O_NONBLOCK, 0o640)
	if err != nil {
		return
	}
	defer file.Close()
	log := logrus.New()
	log.SetLevel(threshold)
	log.SetFormatter(&logrus.TextFormatter{DisableColors: true})
	log.SetOutput(quiet{file})
	log.WithFields(fields).Log(level, message)
}

// quiet keeps logrus from reporting on standard error that it could not write.
type quiet struct{ file *os.File }

func (q quiet) Write(line []byte) (int, error) {
	_, _ = q.file.Write(line)
	return len(line), nil
}

// fail reports that no runtime could be exec'd the way runc reports its own errors (see
// fatal in its utils.go), which is what engines look for: in the file that --log names,
// in the format that --log-format names, and on standard error.
func fail(op Operation, failure error) {
	log := logrus.New()
	if op.LogFormat == "json" {
		log.SetFormatter(&logrus.JSONFormatter{})
	}
	if op.Log != "" {
		file, err := os.OpenFile(op.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND|os.O_SYNC, 0o644)
		if err == nil {
			defer file.Close()
			log.SetOutput(quiet{file})
			log.Error(failure)
			_, _ = os.Stderr.WriteString(failure.Error() + "\n")
			return
		}
	}
	log.Error(failure)
}
