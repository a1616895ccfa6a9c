import Foundation
import Testing

@testable import Settings

/// What the files for systemd say is what the defaults, the README and each other say.
@Suite struct UnitFileTests {
    private let unit: String
    private let readme: String
    /// Of the user: type, name, id, description and home, as sysusers.d(5) has them.
    private let user: [String]
    /// Of the socket's directory: type, path, mode, user, group and age, as tmpfiles.d(5) has them.
    private let directory: [String]

    init() throws {
        unit = try PackageTree.text(of: "conf/systemd/postrider.service")
        readme = try PackageTree.text(of: "README.md")
        user = try Self.onlyLine(of: "conf/systemd/postrider.sysusers")
        directory = try Self.onlyLine(of: "conf/systemd/postrider.tmpfiles")
    }

    /// The words of the one line that is no comment; what stands in quotation marks is one.
    private static func onlyLine(of path: String) throws -> [String] {
        let lines = try PackageTree.text(of: path).split(separator: "\n").filter { !$0.hasPrefix("#") }
        try #require(lines.count == 1, "\(path)")
        return lines[0].split(separator: "\"").enumerated().flatMap { number, part -> [String] in
            number % 2 == 1 ? [String(part)] : part.split(separator: " ").map(String.init)
        }
    }

    /// What a key of the unit is set to, once for each time.
    private func values(_ key: String) -> [String] {
        unit.split(separator: "\n").filter { $0.hasPrefix("\(key)=") }.map { String($0.dropFirst(key.count + 1)) }
    }

    private func value(_ key: String) throws -> String {
        let all = values(key)
        try #require(all.count == 1, "\(key): \(all)")
        return all[0]
    }

    private static func folder(of path: String) -> String {
        path.split(separator: "/").dropLast().map { "/\($0)" }.joined()
    }

    @Test func theDaemonRunsAsTheUserThatIsMadeForIt() throws {
        try #require(user.count == 5 && directory.count == 6, "\(user) \(directory)")
        let name = try value("User")
        #expect(try value("Group") == name && user[1] == name && directory[3] == name)
        for line in [
            "useradd --system --user-group --home-dir \(user[4]) --no-create-home --shell /usr/sbin/nologin \(name)",
            "install -d -o \(name) -g \(name) -m 0750 \(user[4])",
            "install -d -o root -g \(name) -m 0750 /etc/postrider",
            "runuser -u \(name) -- postrider serve",
        ] {
            #expect(readme.contains(line), "\(line)")
        }
    }

    @Test func theProgramIsWhereTheReadmePutsIt() throws {
        let words = try value("ExecStart").split(separator: " ").map(String.init)
        try #require(words.count == 4 && words[1] == "serve" && words[2] == "--config", "\(words)")
        #expect(readme.contains("install -m 0755 .build/release/postrider \(words[0])\n"))
        let name = try value("Group")
        #expect(readme.contains("install -o root -g \(name) -m 0640 conf/postrider.yaml \(words[3])\n"))
        for (file, place) in [
            ("postrider.service", "/etc/systemd/system/postrider.service"),
            ("postrider.sysusers", "/usr/lib/sysusers.d/postrider.conf"),
            ("postrider.tmpfiles", "/usr/lib/tmpfiles.d/postrider.conf"),
        ] {
            #expect(readme.contains("-m 0644 conf/systemd/\(file) \(place)\n"), "\(file)")
            #expect(try PackageTree.text(of: "conf/systemd/\(file)").contains("Install as \(place)"), "\(file)")
        }
    }

    /// Nothing else is writable for it.
    @Test func databaseAndSocketAreWhereTheDaemonMayWrite() throws {
        let defaults = try Configuration.parse("")
        #expect(try value("ProtectSystem") == "strict")
        let state = "/var/lib/\(try value("StateDirectory"))"
        #expect(state == user[4])
        #expect(Self.folder(of: defaults.database.path) == state)
        // The minus: Postfix may come later.
        let socket = Self.folder(of: defaults.milter.socket)
        #expect(values("ReadWritePaths") == ["-\(socket)"])
        #expect(directory[1] == socket && directory[4] == defaults.milter.socketGroup)
        #expect(readme.contains("install -d -o \(directory[3]) -g \(directory[4]) -m \(directory[2]) \(socket)\n"))
        #expect(unit.contains("(mode \(directory[2]))"), "what gives the socket its group")
        #expect(try PackageTree.text(of: "conf/postfix/README.md").contains("`\(socket)`"))
    }

    @Test func systemdWaitsForTheLongestStop() throws {
        #expect(try value("Type") == "notify")
        let deadline = try Configuration.parse("").milter.commitDeadline
        let seconds = try #require(Int(try value("TimeoutStopSec").dropLast()))
        // As the unit adds it up: milter, commits, deliveries, webhooks.
        let longest = 20 + Int(deadline.components.seconds) + 1 + 20 + 3 + 10 + 3
        #expect(unit.contains("That is \(longest) s"))
        #expect(unit.contains("(milter.commit_deadline, \(deadline.components.seconds) s,"))
        #expect(seconds > longest)
    }

    /// systemd's own reading, where it is installed. What it does not know it names, and goes on.
    @Test func systemdHasNothingToSayAgainstTheUnit() throws {
        let program = "/usr/bin/systemd-analyze"
        guard FileManager.default.isExecutableFile(atPath: program) else {
            print("skipped: \(program) is not installed")
            return
        }
        guard let said = try Self.verify(unit, with: program) else {
            print("skipped: \(program) cannot read units here")
            return
        }
        #expect(said.isEmpty, "\(said)")
        let mistaken = unit.replacingOccurrences(of: "\nProtectClock=", with: "\nProtectClok=")
        try #require(mistaken != unit)
        let complaints = try #require(try Self.verify(mistaken, with: program))
        #expect(complaints.contains { $0.contains("ProtectClok") }, "\(complaints)")
    }

    /// - Returns: the lines about the unit; what it says of others is about this machine. Nil when it fails without a word about
    ///   the unit.
    private static func verify(_ unit: String, with program: String) throws -> [String]? {
        let folder = try TemporaryFolder()
        // The daemon is not installed here, and systemd asks for its program.
        let words = "ExecStart=/usr/local/bin/postrider "
        try #require(unit.contains(words))
        let path = try folder.write(
            unit.replacingOccurrences(of: words, with: "ExecStart=/bin/true "), to: "postrider.service")
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = ["verify", "--man=no", path]
        // Of its own: reading the environment of a process in which many threads run is not safe.
        process.environment = ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n").map(String.init)
            .filter { $0.contains("postrider.service") }
        return process.terminationStatus != 0 && lines.isEmpty ? nil : lines
    }
}
