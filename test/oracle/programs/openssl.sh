# SPDX-License-Identifier: Apache-2.0
cd /tmp
openssl req -x509 -newkey rsa:2048 -nodes -keyout key -out cert -days 2 -subj /CN=localhost 2>/dev/null
openssl x509 -in cert -noout -subject
openssl s_server -quiet -accept 127.0.0.1:7001 -cert cert -key key -www >/dev/null 2>&1 &
server=$!
n=0
until echo | openssl s_client -connect 127.0.0.1:7001 >/tmp/client 2>&1 || [ $n -gt 100 ]; do
	sleep 0.1
	n=$((n + 1))
done
openssl dgst -sha256 cert /etc/passwd
openssl enc -aes-256-cbc -pbkdf2 -k secret -in cert -out cert.enc
kill $server
wait
