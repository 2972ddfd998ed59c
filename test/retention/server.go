// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io/fs"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// server is a program that runs in a container of its own.
type server struct {
	name    string
	program string // its executable
	args    []string
	uid     uint32
	port    int
	files   map[string]string // written into the container's /srv
	// configured are the configuration files that it reads, as paths in the container.
	configured []string
	// load keeps it busy until stop is closed.
	load func(s *server, stop <-chan struct{}) error
}

// documents are served by the web servers.
const documents = "/usr/share/doc"

// freePorts returns ports of 127.0.0.1 that nothing listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer l.Close() // of all at the end, so that none is found twice
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// servers returns the servers, each with a port of its own.
func servers() ([]*server, error) {
	list := []*server{
		{name: "redis", program: "/usr/bin/redis-server", args: []string{"/srv/redis.conf"},
			files:      map[string]string{"redis.conf": "port PORT\nbind 127.0.0.1 -::1\ndir /tmp\nsave \"\"\n"},
			configured: []string{"/srv/redis.conf"}, load: command("redis-benchmark", "-p", "PORT", "-l", "-q", "-r", "10000",
				"-t", "set,get,lpush,hset")},
		{name: "nginx", program: "/usr/sbin/nginx", args: []string{"-c", "/srv/nginx.conf"},
			files: map[string]string{"nginx.conf": `daemon off;
user nobody nogroup;
worker_processes 2;
pid /tmp/nginx.pid;
error_log stderr;
events {}
http {
	include /etc/nginx/mime.types;
	access_log /dev/stdout;
	client_body_temp_path /tmp/body;
	proxy_temp_path /tmp/proxy;
	fastcgi_temp_path /tmp/fastcgi;
	uwsgi_temp_path /tmp/uwsgi;
	scgi_temp_path /tmp/scgi;
	server { listen 127.0.0.1:PORT; root DOCUMENTS; autoindex on; }
}
`},
			configured: []string{"/srv/nginx.conf", "/etc/nginx/mime.types"}, load: fetch},
		{name: "postgres", program: "/bin/sh", uid: 65534,
			args: []string{"-c", "BIN/initdb -D /tmp/data -A trust >/dev/null && exec BIN/postgres -D /tmp/data -p PORT -k /tmp"},
			configured: []string{"/tmp/data/postgresql.conf", "/tmp/data/pg_hba.conf", "/tmp/data/pg_ident.conf",
				"/tmp/data/postgresql.auto.conf"}, load: pgbench},
		{name: "python", program: "/usr/bin/python3",
			args: []string{"-m", "http.server", "-b", "127.0.0.1", "-d", documents, "PORT"}, load: fetch},
		{name: "node", program: "/usr/bin/node", args: []string{"/srv/server.js"},
			files: map[string]string{"config.json": `{"port": PORT, "root": "DOCUMENTS"}`,
				"server.js": `const fs = require('fs');
const config = JSON.parse(fs.readFileSync('/srv/config.json'));
require('http').createServer((request, response) => fs.readFile(config.root + request.url, (error, data) => {
	console.log(request.url, error ? error.code : data.length);
	response.writeHead(error ? 404 : 200);
	response.end(data);
})).listen(config.port, '127.0.0.1');
`},
			configured: []string{"/srv/server.js", "/srv/config.json"}, load: fetch},
		{name: "java", program: "/usr/bin/java", args: []string{"-Xmx256m", "/srv/Server.java"},
			files: map[string]string{"server.properties": "port=PORT\nroot=DOCUMENTS\n",
				"Server.java": `import com.sun.net.httpserver.*;
import java.io.*;
import java.net.*;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;

public class Server {
	public static void main(String[] args) throws Exception {
		Properties p = new Properties();
		try (Reader r = Files.newBufferedReader(Path.of("/srv/server.properties"))) { p.load(r); }
		HttpServer s = HttpServer.create(new InetSocketAddress("127.0.0.1", Integer.parseInt(p.getProperty("port"))), 0);
		s.createContext("/", x -> {
			byte[] data;
			try {
				data = Files.readAllBytes(Path.of(p.getProperty("root") + x.getRequestURI().getPath()));
				x.sendResponseHeaders(200, data.length == 0 ? -1 : data.length);
			} catch (IOException e) {
				data = new byte[0];
				x.sendResponseHeaders(404, -1);
			}
			System.out.println(x.getRequestURI() + " " + data.length);
			x.getResponseBody().write(data);
			x.close();
		});
		s.setExecutor(Executors.newFixedThreadPool(8));
		s.start();
	}
}
`},
			configured: []string{"/srv/Server.java", "/srv/server.properties"}, load: fetch},
		{name: "memcached", program: "/usr/bin/memcached", args: []string{"-p", "PORT", "-l", "127.0.0.1", "-v"}, uid: 65534,
			load: memcache},
	}
	ports, err := freePorts(len(list))
	if err != nil {
		return nil, err
	}
	for i, s := range list {
		s.port = ports[i]
		replace := strings.NewReplacer("PORT", fmt.Sprint(s.port), "DOCUMENTS", documents, "BIN", postgresql()).Replace
		s.args = slices.Clone(s.args)
		for n := range s.args {
			s.args[n] = replace(s.args[n])
		}
		for name, text := range s.files {
			s.files[name] = replace(text)
		}
	}
	return list, nil
}

// postgresql returns the directory of PostgreSQL's programs, which Debian keeps out of PATH.
func postgresql() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(found) == 0 {
		return "/usr/lib/postgresql/bin"
	}
	return found[len(found)-1]
}

// pages returns up to n documents, as paths below documents.
func pages(n int) []string {
	var found []string
	filepath.WalkDir(documents, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() && !strings.ContainsAny(path, "%?# ") {
			found = append(found, strings.TrimPrefix(path, documents))
		}
		if len(found) == n {
			return fs.SkipAll
		}
		return nil
	})
	return found
}

// output returns what a command prints.
func output(name string, args ...string) (string, error) {
	text, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, text)
	}
	return string(text), nil
}
