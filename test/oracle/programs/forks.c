// SPDX-License-Identifier: Apache-2.0
// A server that forks for each connection, and its client.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void reap(int n) { while (waitpid(-1, 0, WNOHANG) > 0) { } }

int main(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sigaction sa = {.sa_handler = reap, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
	socklen_t length = sizeof(at);
	int one = 1, s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char text[100];

	sigaction(SIGCHLD, &sa, 0);
	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	bind(s, (void *)&at, sizeof(at));
	listen(s, 16);
	getsockname(s, (void *)&at, &length);
	pid_t client = fork();
	if (!client) {
		for (int i = 0; i < 8; i++) {
			int c = socket(AF_INET, SOCK_STREAM, 0);
			setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			connect(c, (void *)&at, sizeof(at));
			send(c, "hello", 5, MSG_NOSIGNAL);
			recv(c, text, sizeof(text), 0);
			close(c);
		}
		_exit(0);
	}
	for (int i = 0; i < 8; i++) {
		struct sockaddr_storage peer;
		length = sizeof(peer);
		int c = accept(s, (void *)&peer, &length);
		if (!fork()) {
			long n = read(c, text, sizeof(text));
			write(c, text, n);
			shutdown(c, SHUT_RDWR);
			_exit(i);
		}
		close(c);
	}
	close(s);
	while (waitpid(-1, 0, 0) > 0) { }
	return 0;
}
