# Sockets of all families, as servers and clients, with asyncio, select, poll, epoll, processes and timers.
import array, asyncio, fcntl, mmap, multiprocessing, os, pwd, resource, select, signal, socket, struct, subprocess, tempfile, threading, time

def sockets():
    for family, address in ((socket.AF_INET, ("127.0.0.1", 0)), (socket.AF_INET6, ("::1", 0))):
        try:
            server = socket.create_server(address, family=family, backlog=3)
        except OSError:
            continue
        client = socket.create_connection(server.getsockname()[:2], timeout=5)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 2))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        peer, _ = server.accept()
        client.sendall(b"hello")
        peer.recv(100, socket.MSG_PEEK)
        peer.recv(100)
        peer.sendmsg([b"a", b"bc"])
        client.recvmsg(10)
        peer.shutdown(socket.SHUT_WR)
        client.recv(1)
        client.getpeername(), client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 100)
        udp = socket.socket(family, socket.SOCK_DGRAM)
        udp.bind(address)
        udp.sendto(b"datagram", udp.getsockname())
        udp.recvfrom(100)
        try:
            socket.create_connection((address[0], 1))
        except OSError:
            pass
        for s in (server, client, peer, udp):
            s.close()
    a, b = socket.socketpair()
    with open("/etc/hostname") as f:
        socket.send_fds(a, [b"x"], [f.fileno()])
    socket.recv_fds(b, 10, 4)
    b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    a.send(b"y")
    b.recvmsg(10, 100)
    path = tempfile.mktemp()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen()
    other = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    other.connect(path)
    abstract = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    abstract.bind("\0abstract")
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    netlink.bind((0, 0))
    socket.getaddrinfo("localhost", "http")
    socket.if_nameindex()

def waiting():
    r, w = os.pipe()
    select.select([r], [w], [], 0.01)
    p = select.poll()
    p.register(r, select.POLLIN)
    p.register(w, select.POLLOUT)
    p.poll(10)
    e = select.epoll()
    e.register(r, select.EPOLLIN | select.EPOLLET)
    os.write(w, b"x")
    e.poll(0.1)
    e.modify(r, select.EPOLLIN | select.EPOLLONESHOT)
    os.eventfd_write(os.eventfd(0), 3)
    signal.signal(signal.SIGALRM, lambda *a: None)
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    time.sleep(0.05)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.sigtimedwait([signal.SIGUSR1], 1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)

async def tasks():
    async def serve(reader, writer):
        writer.write(await reader.read(100))
        await writer.drain()
        writer.close()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"echo")
    await reader.read(100)
    process = await asyncio.create_subprocess_shell("echo out; echo err >&2; exit 3", stdout=-1, stderr=-1)
    await process.communicate()
    await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.01)
    server.close()

def files():
    fd = os.open("/tmp/f", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.pwritev(fd, [b"ab", b"cd"], 3)
    os.preadv(fd, [bytearray(2), bytearray(9)], 1)
    fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(fd, fcntl.LOCK_SH)
    fcntl.fcntl(fd, fcntl.F_GETFL)
    fcntl.ioctl(fd, 0x541B, array.array("i", [0]))
    os.posix_fallocate(fd, 0, 8192)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_WILLNEED)
    m = mmap.mmap(fd, 4096)
    m[0:2] = b"mm"
    m.flush()
    m.madvise(mmap.MADV_RANDOM)
    m.close()
    os.sendfile(os.open("/tmp/g", os.O_WRONLY | os.O_CREAT), fd, 0, 100)
    os.copy_file_range(fd, os.open("/tmp/h", os.O_WRONLY | os.O_CREAT), 10)
    for path in ("/tmp/f", "/proc/self/status", "/missing"):
        try:
            os.stat(path), os.access(path, os.R_OK), os.statvfs(path)
        except OSError:
            pass
    with os.scandir("/etc") as entries:
        list(entries)
    os.memfd_create("memory", os.MFD_CLOEXEC)
    os.getrandom(8), os.times(), os.getloadavg(), os.sched_getaffinity(0), os.getgroups(), os.getpriority(0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0)), resource.getrusage(resource.RUSAGE_CHILDREN)
    pwd.getpwuid(1)

def child(queue):
    queue.put(os.getppid())

def main():
    sockets()
    waiting()
    asyncio.run(tasks())
    files()
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        queue = context.SimpleQueue()
        p = context.Process(target=child, args=(queue,))
        p.start()
        queue.get()
        p.join()
    with multiprocessing.Pool(2) as pool:
        pool.map(abs, range(9))
    pid = os.fork()
    if pid == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(4)
    os.waitpid(pid, os.WUNTRACED)
    os.kill(pid, signal.SIGCONT)
    os.waitid(os.P_PID, pid, os.WEXITED)
    subprocess.run(["/bin/sh", "-c", "kill -TERM $$"], cwd="/", env={"A": "b"})
    threading.Thread(target=time.sleep, args=(0.01,)).start()

if __name__ == "__main__":
    main()
