import Foundation
import Glibc
import JSONValue
import Synchronization

/// Debian's Chromium without a window, with a profile of its own and one page, driven over its debugging pipe: what a reader sees
/// and clicks, by real mouse events.
///
/// Every host name leads to 127.0.0.1, so nothing of a page comes from elsewhere. The protocol is that of the Chrome DevTools:
/// JSON objects, each ended by NUL, from descriptor 3 and to descriptor 4 (`--remote-debugging-pipe`).
package final class PrivateChromium: Sendable {
    private struct State {
        var last = 0
        var unread: [UInt8] = []
    }

    private let process: DaemonProcess
    /// FIFOs, open both ways here, so that nobody waits for the other side to open them.
    private let writing: Int32
    private let reading: Int32
    private let state = Mutex(State())
    private let session: Mutex<String?> = Mutex(nil)

    private init(_ process: DaemonProcess, writing: Int32, reading: Int32) {
        self.process = process
        self.writing = writing
        self.reading = reading
    }

    deinit {
        close(writing)
        close(reading)
    }

    /// Starts it with an empty page on which no script runs.
    ///
    /// - Throws: ``FixtureError`` `unavailable` without Chromium.
    package static func start(in directory: ServerDirectory) async throws -> PrivateChromium {
        let place = try await directory.directory("chromium", mode: 0o700)
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/chromium") else {
            throw FixtureError(.unavailable, "/usr/bin/chromium is missing: apt-get install chromium")
        }
        let (commands, answers) = ("\(place)/commands", "\(place)/answers")
        guard mkfifo(commands, 0o600) == 0, mkfifo(answers, 0o600) == 0 else {
            throw FixtureError(.unavailable, "no FIFO in \(place): errno \(errno)")
        }
        let writing = Glibc.open(commands, O_RDWR | O_CLOEXEC)
        let reading = Glibc.open(answers, O_RDWR | O_CLOEXEC)
        guard writing >= 0, reading >= 0 else { throw FixtureError(.unavailable, "\(place): errno \(errno)") }
        // The sandbox needs rights that containers and root do not have; what is loaded is our own.
        let words = [
            "/usr/bin/chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--hide-scrollbars", "--window-size=800,700", "--user-data-dir=\(place)/profile",
            "--host-resolver-rules=MAP * 127.0.0.1", "--remote-debugging-pipe", "about:blank",
        ]
        let process = try DaemonProcess(
            "/bin/sh", ["-c", "exec \"$@\" 3<\(commands) 4>\(answers)", "sh"] + words,
            environment: ["HOME": place, "DBUS_SESSION_BUS_ADDRESS": "disabled:"])
        let browser = PrivateChromium(process, writing: writing, reading: reading)
        let target = try await browser.call("Target.createTarget", ["url": "about:blank"])
        let attached = try await browser.call(
            "Target.attachToTarget", ["targetId": target["targetId"] ?? JSON.null, "flatten": true])
        browser.session.withLock { $0 = attached["sessionId"]?.stringValue }
        try await browser.call("Page.enable")
        try await browser.call("Emulation.setScriptExecutionDisabled", ["value": true])
        return browser
    }

    /// Ends it with everything it started.
    package func stop() async throws {
        process.process.signalGroup(SIGKILL)
        _ = try await process.waitForExit()
    }

    // MARK: What a reader does

    /// Says another name to servers than its own, which tells them that nobody sits before it.
    package func pretend(userAgent: String, languages: String) async throws {
        try await call(
            "Emulation.setUserAgentOverride",
            ["userAgent": .string(userAgent), "acceptLanguage": .string(languages)])
    }

    /// Opens an address and waits until the page and its pictures are there.
    package func open(_ address: String) async throws {
        try await call("Page.navigate", ["url": .string(address)])
        try await wait(
            "\(address) is loaded", until: "document.readyState === 'complete' && location.href !== 'about:blank'")
    }

    /// Clicks the middle of the only element that a selector of CSS finds.
    package func click(_ selector: String) async throws {
        let found = try await evaluate(
            """
            (() => {
              const all = document.querySelectorAll(\(Self.quoted(selector)));
              if (all.length !== 1) return 'found ' + all.length;
              all[0].scrollIntoView({block: 'center'});
              const box = all[0].getBoundingClientRect();
              return [box.x + box.width / 2, box.y + box.height / 2];
            })()
            """)
        guard let point = found.arrayValue, point.count == 2 else {
            throw FixtureError(.malformed, "\(selector): \(found)")
        }
        for kind in ["mousePressed", "mouseReleased"] {
            try await call(
                "Input.dispatchMouseEvent",
                ["type": .string(kind), "x": point[0], "y": point[1], "button": "left", "clickCount": 1])
        }
    }

    // MARK: What a test sees

    /// The value of an expression on the page. It is the test's; scripts of the page itself do not run.
    package func evaluate(_ expression: String) async throws -> JSON {
        let answer = try await call(
            "Runtime.evaluate", ["expression": .string(expression), "returnByValue": true])
        if let fault = answer["exceptionDetails"] { throw FixtureError(.malformed, "\(expression): \(fault)") }
        return answer["result"]?["value"] ?? .null
    }

    /// Waits until an expression is true, over changes of the page.
    package func wait(_ what: String, until expression: String) async throws {
        try await eventually(what, deadline: .seconds(20), every: .milliseconds(50)) {
            (try? await evaluate(expression)) == .bool(true)
        }
    }

    /// Roles and names of everything on the page as assistive technology is told: `button Save`.
    package func accessibleNames() async throws -> [String] {
        let tree = try await call("Accessibility.getFullAXTree")
        return (tree["nodes"]?.arrayValue ?? []).filter { $0["ignored"] != true }.map { node in
            "\(node["role"]?["value"]?.stringValue ?? "") \(node["name"]?["value"]?.stringValue ?? "")"
        }
    }

    /// Writes what is seen now as PNG.
    package func photograph(to path: String) async throws {
        let answer = try await call("Page.captureScreenshot")
        guard let data = answer["data"]?.stringValue.flatMap({ Data(base64Encoded: $0) }) else {
            throw FixtureError(.malformed, "no picture")
        }
        try data.write(to: URL(fileURLWithPath: path))
    }

    // MARK: The protocol

    @discardableResult
    private func call(_ method: String, _ parameters: JSON = [:]) async throws -> JSON {
        let session = session.withLock { $0 }
        return try await offPool { [self] in
            try state.withLock { state in
                state.last += 1
                var message: JSONObject = [
                    "id": .int(Int64(state.last)), "method": .string(method), "params": parameters,
                ]
                if let session { message["sessionId"] = .string(session) }
                try send(JSONWriter.bytes(.object(message)) + [0])
                return try answer(to: state.last, method, &state)
            }
        }
    }

    private func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(writing, $0.baseAddress, $0.count) }
            guard count > 0 else { throw FixtureError(.connection, "Chromium takes no command: errno \(errno)") }
            rest = rest.dropFirst(count)
        }
    }

    /// What comes before the answer are events, which nobody here waits for.
    private func answer(to number: Int, _ method: String, _ state: inout State) throws -> JSON {
        while true {
            while let end = state.unread.firstIndex(of: 0) {
                let message = try JSONParser.parse(Array(state.unread[..<end]))
                state.unread.removeSubrange(...end)
                guard message["id"]?.intValue == Int64(number) else { continue }
                if let fault = message["error"] { throw FixtureError(.malformed, "\(method): \(fault)") }
                return message["result"] ?? [:]
            }
            var waiting = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 30_000) == 1 else {
                let words = process.lines.suffix(5).map(\.text).joined(separator: "\n")
                throw FixtureError(.timedOut, "Chromium does not answer \(method): \(words)")
            }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = read(reading, &buffer, buffer.count)
            guard count > 0 else { throw FixtureError(.connection, "Chromium is gone: errno \(errno)") }
            state.unread += buffer[..<count]
        }
    }

    private static func quoted(_ text: String) -> String {
        String(decoding: JSONWriter.bytes(.string(text)), as: UTF8.self)
    }
}
