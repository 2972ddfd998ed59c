// SPDX-License-Identifier: Apache-2.0

package shim

import (
	"os"
	"syscall"

	"github.com/sirupsen/logrus"

	"github.com/runc-trace/runc-trace/pkg/config"
)

// note writes one line to the shim's own log, if it has one. It never fails, prints or waits: it opens the file for
// this line only, and drops the line if it cannot be written.
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

// quiet prevents logrus from reporting failed writes on standard error.
type quiet struct{ file *os.File }

func (q quiet) Write(line []byte) (int, error) {
	_, _ = q.file.Write(line)
	return len(line), nil
}

// fail reports that no runtime could be executed, in the way in which runc reports its own errors (see fatal in its
// utils.go), because engines look for that: in the file named by --log, in the format of --log-format, and on standard
// error.
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
