extension PostfixCheck {
    /// One service with the parameters and the milters that hold for it.
    struct View {
        let service: PostfixService
        let parameters: PostfixParameters
        /// `smtpd_milters` or `non_smtpd_milters`.
        let listName: String
        let references: [MilterReference]
        private let check: PostfixCheck

        init(
            _ service: PostfixService, _ parameters: PostfixParameters, _ check: PostfixCheck,
            listName: String = "smtpd_milters"
        ) {
            self.service = service
            self.parameters = parameters.overridden(by: service.overrides)
            self.listName = listName
            self.check = check
            references = MilterReference.all(in: self.parameters.value(listName))
        }

        var queueDirectory: String { PathText.normalised(parameters.value("queue_directory")) }

        /// Where a Unix socket lies for the whole machine; nil for other endpoints. A chrooted service takes every
        /// path, others a relative one, from the queue directory.
        func resolved(_ reference: MilterReference) -> String? {
            guard case .unix(let path) = reference.endpoint else { return nil }
            if path.hasPrefix("/"), !service.isChrooted { return PathText.normalised(path) }
            return PathText.normalised("\(queueDirectory)/\(path)")
        }

        func isOurs(_ reference: MilterReference) -> Bool {
            switch reference.endpoint {
            case .unix: return resolved(reference) == PathText.normalised(check.configuration.milter.socket)
            case .inet(let host, let port):
                guard let tcp = check.configuration.milter.tcp, Int(port) == tcp.port else { return false }
                return host == tcp.host
                    || (Hostname.isLoopback(host) && (Hostname.isLoopback(tcp.host) || PathText.isWildcard(tcp.host)))
            case .other: return false
            }
        }

        /// A milter that was probably meant to be ours: the right file in the wrong place.
        var nearMiss: MilterReference? {
            let name = check.configuration.milter.socket.split(separator: "/").suffix(2)
            return references.first { reference in
                guard case .unix(let path) = reference.endpoint else { return false }
                return path.split(separator: "/").suffix(2) == name || path == check.configuration.milter.socket
            }
        }

        /// How this service must name our socket; nil when it cannot reach it.
        var ourEndpoint: String? {
            let socket = PathText.normalised(check.configuration.milter.socket)
            if socket.hasPrefix(queueDirectory + "/") { return "unix:\(socket.dropFirst(queueDirectory.count + 1))" }
            if !service.isChrooted { return "unix:\(socket)" }
            return check.configuration.milter.tcp.map { "inet:\($0)" }
        }

        /// The list as the administrator wrote it, so that a mend keeps `$names`.
        var writtenItems: [String] { PostfixText.list(parameters.written(listName) ?? "") }

        func written(_ replace: (String) -> String) -> [String] {
            (writtenItems.contains { $0.contains("$") } ? references.map(\.text) : writtenItems).map(replace)
        }

        func written(movingLast text: String) -> [String] {
            written { $0 }.filter { $0 != text } + [text]
        }

        /// The command that sets the list, where it is set now: for this service, or in main.cf.
        func setList(_ items: [String]) -> String {
            guard service.overrides[listName] == nil else { return setOverride(items) }
            return "postconf -e \(ShellText.quoted("\(listName)=\(items.joined(separator: ", "))"))"
        }

        /// The command that sets the list for this service alone. `postconf -P` refuses values with white space.
        func setOverride(_ items: [String]) -> String {
            let list = items.map(PostfixText.withoutBlanks).joined(separator: ",")
            return "postconf -P \(ShellText.quoted("\(service.path)/\(listName)=\(list)"))"
        }

        /// A finding about parameter `key`, placed where the parameter is set for this service.
        func finding(_ severity: Finding.Severity, _ key: String, _ message: String, _ mend: String) -> Finding {
            guard service.overrides[key] == nil else {
                return Finding(
                    severity, file: check.masterFile, line: service.line, key: key, message: message, mend: mend)
            }
            return Finding(
                severity, file: check.mainFile, line: parameters.line(key), key: key, message: message, mend: mend)
        }
    }
}

/// Paths as text.
enum PathText {
    /// Without repeated and closing slashes and without `.` parts; `..` is kept, because a symbolic link may be
    /// before it.
    static func normalised(_ path: String) -> String {
        let parts = path.split(separator: "/").filter { $0 != "." }
        return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
    }

    /// Whether it is an address that means every address of the machine.
    static func isWildcard(_ host: String) -> Bool { host == "0.0.0.0" || host == "::" }
}

/// Words for a POSIX shell.
enum ShellText {
    /// In single quotes, unless nothing in it needs them.
    static func quoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x2F...0x3A).contains(byte)
                || [0x2E, 0x2D, 0x5F, 0x3D, 0x2C].contains(byte)
        }
        return isPlain ? text : "'\(text.replacing("'", with: "'\\''"))'"
    }
}
