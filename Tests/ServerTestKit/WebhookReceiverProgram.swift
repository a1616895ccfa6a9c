extension WebhookReceiver {
    /// The receiver as a Python program: threads and sockets of the standard library, certificates by openssl(1). It says
    /// `ready {ports}` and then `request {…}` for each call, one line each.
    static let program = #"""
        import base64, hashlib, hmac, json, os, socket, ssl, struct, subprocess, sys, threading, time

        folder = sys.argv[1]

        def at(name):
            return os.path.join(folder, name)

        def openssl(*words):
            subprocess.run(["openssl", *words], check=True, cwd=folder, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)

        def key(name):
            openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", name + ".key")

        def authority(name):
            key(name)
            openssl("req", "-x509", "-new", "-key", name + ".key", "-days", "3", "-subj", "/CN=Test " + name,
                    "-addext", "basicConstraints=critical,CA:TRUE", "-out", name + ".pem")

        NAMES = "DNS:localhost,DNS:hook.test.example,IP:127.0.0.1,IP:127.0.0.2,IP:::1"

        def certificate(name, alternatives, start=None, end=None):
            key(name)
            openssl("req", "-new", "-key", name + ".key", "-subj", "/CN=" + name, "-out", name + ".csr")
            with open(at(name + ".cnf"), "w") as file:
                file.write("[ca]\ndefault_ca=c\n[c]\nnew_certs_dir=.\ndatabase=%s.db\nserial=%s.srl\n"
                           "default_md=sha256\npolicy=p\ndefault_days=3\nx509_extensions=e\nemail_in_dn=no\n"
                           "[p]\ncommonName=supplied\n[e]\nsubjectAltName=%s\n" % (name, name, alternatives))
            open(at(name + ".db"), "w").close()
            with open(at(name + ".srl"), "w") as file:
                file.write(os.urandom(8).hex())
            dates = ["-startdate", start, "-enddate", end] if start else []
            openssl("ca", "-batch", "-notext", "-config", name + ".cnf", "-cert", "ca.pem", "-keyfile", "ca.key",
                    "-in", name + ".csr", "-out", name + ".pem", *dates)

        authority("ca")
        certificate("good", NAMES)
        certificate("wrong-name", "DNS:other.example,IP:192.0.2.1")
        certificate("expired", NAMES, "20200101000000Z", "20200201000000Z")
        key("self-signed")
        openssl("req", "-x509", "-new", "-key", "self-signed.key", "-days", "3", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=" + NAMES, "-out", "self-signed.pem")

        lock = threading.Lock()
        counts = {}

        def say(word, value):
            with lock:
                sys.stdout.write(word + " " + json.dumps(value) + "\n")
                sys.stdout.flush()

        def verified(headers, body):
            try:
                with open(at("secrets")) as file:
                    secrets = file.read().split()
            except FileNotFoundError:
                return []
            signed = b".".join([headers.get("webhook-id", "").encode(), headers.get("webhook-timestamp", "").encode(), body])
            given = headers.get("webhook-signature", "").split(" ")
            right = []
            for number, secret in enumerate(secrets):
                digest = hmac.new(base64.b64decode(secret.split("_", 1)[1]), signed, hashlib.sha256).digest()
                wanted = "v1," + base64.b64encode(digest).decode()
                if any(hmac.compare_digest(wanted, one) for one in given):
                    right.append(number)
            return right

        def answer(client, status, fields=(), body=b""):
            lines = ["HTTP/1.1 %d Whatever" % status, "Content-Length: %d" % len(body), "Connection: close", *fields]
            client.sendall("\r\n".join(lines + ["", ""]).encode() + body)

        def endless(client, chunk, pause=0.0):
            for _ in range(200000):
                client.sendall(chunk)
                if pause:
                    time.sleep(pause)

        def respond(client, path, headers):
            words = path.split("?")[0].strip("/").split("/")
            if words[0] == "status":
                answer(client, int(words[1]), [bytes.fromhex(word).decode() for word in words[2:]], b"{}")
            elif words[0] == "then":
                # One status after the other for each call; the last one stays.
                with lock:
                    number = counts.get(headers.get("webhook-id"), 0)
                    counts[headers.get("webhook-id")] = number + 1
                all = words[1].split(",")
                status = int(all[min(number, len(all) - 1)])
                body = words[2] if len(words) > 2 else ""
                answer(client, status, ["Content-Type: application/json"], bytes.fromhex(body))
            elif words[0] == "redirect":
                answer(client, 302, ["Location: " + bytes.fromhex(words[1]).decode()])
            elif words[0] == "body":
                answer(client, 200, ["Content-Type: text/plain"], b"x" * int(words[1]))
            elif words[0] == "endless-body":
                client.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
                endless(client, b"y" * 4096)
            elif words[0] == "chunked":
                client.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
            elif words[0] == "interim":
                client.sendall(b"HTTP/1.1 103 Early\r\nX-Early: 1\r\n\r\n")
                answer(client, 200, ["X-Late: 1"], b"late")
            elif words[0] == "headers":
                answer(client, 200, ["X-%d: %s" % (n, "z" * 100) for n in range(int(words[1]))], b"after")
            elif words[0] == "endless-headers":
                client.sendall(b"HTTP/1.1 200 OK\r\n")
                endless(client, b"".join(b"X-%d: %s\r\n" % (n, b"z" * 1000) for n in range(100)))
            elif words[0] == "slow-headers":
                client.sendall(b"HTTP/1.1 200 OK\r\n")
                endless(client, b"X: y\r\n", 0.2)
            elif words[0] == "slow-body":
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                endless(client, b"z", 0.2)
            elif words[0] == "silent":
                client.recv(1)
            elif words[0] == "half":
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            elif words[0] == "garbage":
                client.sendall(b"\x00\x01\x02 what is this\r\n\r\n")
            elif words[0] == "old":
                client.sendall(b"no header, no status, as HTTP/0.9 was\r\n")
            elif words[0] == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif words[0] == "hold":
                while not os.path.exists(at("release")):
                    time.sleep(0.02)
                answer(client, 200, ["Content-Type: application/json"], b'{"tier":"gold"}')
            else:
                answer(client, 404)

        def read(client):
            data = b""
            while b"\r\n\r\n" not in data:
                more = client.recv(65536)
                if not more:
                    return None
                data += more
            head, body = data.split(b"\r\n\r\n", 1)
            lines = head.decode("utf-8", "replace").split("\r\n")
            method, path, _ = lines[0].split(" ", 2)
            headers = {}
            for line in lines[1:]:
                name, value = line.split(":", 1)
                headers[name.strip().lower()] = value.strip()
            length = int(headers.get("content-length", "0"))
            while len(body) < length:
                more = client.recv(65536)
                if not more:
                    return None
                body += more
            return method, path, headers, body

        def serve(name, client):
            try:
                if name != "plain":
                    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                    context.load_cert_chain(at(name + ".pem"), at(name + ".key"))
                    client = context.wrap_socket(client, server_side=True)
                request = read(client)
                if request is None:
                    return
                method, path, headers, body = request
                say("request", {
                    "listener": name, "method": method, "path": path, "headers": headers,
                    "body": body.decode("utf-8", "replace"), "verified": verified(headers, body),
                })
                respond(client, path, headers)
            except (OSError, ValueError):
                pass
            finally:
                client.close()

        def listen(name, family, address):
            listener = socket.socket(family, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, 0))
            listener.listen(128)

            def loop():
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=serve, args=(name, client), daemon=True).start()

            threading.Thread(target=loop, daemon=True).start()
            return listener.getsockname()[1]

        ports = {name: listen(name, socket.AF_INET, "127.0.0.1")
                 for name in ["plain", "good", "wrong-name", "expired", "self-signed"]}
        try:
            ports["good6"] = listen("good", socket.AF_INET6, "::1")
        except OSError:
            pass
        say("ready", ports)
        threading.Event().wait()
        """#
}
