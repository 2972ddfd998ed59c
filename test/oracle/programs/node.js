// SPDX-License-Identifier: Apache-2.0
const fs = require('fs'), http = require('http'), child = require('child_process');
fs.writeFileSync('/tmp/file', 'hello');
console.log(fs.readFileSync('/tmp/file').toString(), fs.existsSync('/missing'));
const server = http.createServer((request, response) => fs.readFile('/tmp/file', (error, data) => response.end(data)));
server.listen(7003, '127.0.0.1', () => http.get('http://127.0.0.1:7003/', response => {
	response.on('data', data => console.log(data.toString()));
	response.on('end', () => child.exec('echo child', (error, out) => { console.log(out); process.exit(6); }));
}));
