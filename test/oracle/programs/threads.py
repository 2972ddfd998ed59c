# SPDX-License-Identifier: Apache-2.0
import asyncio, mmap, multiprocessing, os, select, signal, socket, subprocess, tempfile, threading, time

def work(n):
    with open("/tmp/%d" % n, "w") as f:
        f.write("thread %d\n" % n)
    os.stat("/tmp/%d" % n)
    time.sleep(0.01)

threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for t in threads: t.start()
for t in threads: t.join()
print(subprocess.run(["/bin/echo", "one", "two"], capture_output=True).stdout)
print(subprocess.run("exit 5", shell=True).returncode)
try:
    subprocess.run(["/missing"])
except OSError as e:
    print(e)
a, b = socket.socketpair()
socket.send_fds(a, [b"here"], [0, 1])
print(len(socket.recv_fds(b, 10, 2)[1]))
p = select.poll(); p.register(b, select.POLLIN); p.poll(5)
a.send(b"x"); select.select([b], [a], [], 1); p.poll(5)
e = select.epoll(); e.register(b, select.EPOLLIN | select.EPOLLET); e.poll(1)
signal.signal(signal.SIGALRM, lambda *_: print("alarm"))
signal.setitimer(signal.ITIMER_REAL, 0.02); signal.pause()
with tempfile.TemporaryFile() as f:
    f.truncate(4096); m = mmap.mmap(f.fileno(), 4096); m[:5] = b"hello"; m.close()
child = os.fork()
if child == 0:
    os.kill(os.getpid(), signal.SIGKILL)
print(os.waitpid(child, 0)[1])

async def serve():
    server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 7002)
    r, w = await asyncio.open_connection("127.0.0.1", 7002)
    await r.read(); w.close(); server.close()
asyncio.run(serve())
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", 0)); u.sendto(b"datagram", u.getsockname())
print(u.recvfrom(100)[0])
