import Foundation
import JSONValue
import ServerTestKit

/// A daemon without a Postfix, which may die and come back. Its mail goes where the story says.
struct BareSite: Sendable {
    let directory: ServerDirectory
    let executable: String
    let configurationPath: String
    let key: String

    /// Makes the configuration, the workflows and a key; nothing runs yet.
    ///
    /// - Parameters:
    ///   - relayPort: where the daemon submits, on this machine; nil where no mail is sent.
    ///   - settings: further sections of its configuration, whole lines.
    ///   - directory: where servers of the story's own live already.
    init(
        relayPort: UInt16? = nil, workflows: [StoryWorkflow] = [], settings: String = "",
        in directory: ServerDirectory? = nil
    ) async throws {
        let directory = try directory ?? ServerDirectory.temporary()
        self.directory = directory
        executable = try BuiltProduct.path()
        let relay = relayPort.map { "smtp:\n  host: 127.0.0.1\n  port: \($0)\n  tls: none\n" }
        configurationPath = try directory.write(
            "postrider.yaml",
            """
            database:
              path: \(directory.path("postrider.db"))
            milter:
              socket: \(directory.path("milter.sock"))
              socket_group: ""
            http:
              port: 0
            mail:
              default_from: Post <post@example.com>
            \(relay ?? "")\(settings)
            """)
        let options = ["--config", configurationPath]
        if !workflows.isEmpty {
            let files = try workflows.map { try directory.write("\($0.slug).yaml", $0.text) }
            try await Site.run(executable, ["workflow", "apply"] + options + files)
        }
        key = try await Site.run(executable, ["key", "create"] + options)
    }

    func start() async throws -> RunningDaemon {
        try await RunningDaemon(DaemonProcess(executable, ["serve", "--config", configurationPath]), key: key)
    }

    /// Runs one command over the same configuration.
    /// - Returns: the last line it printed.
    @discardableResult
    func run(_ command: String..., arguments: [String] = []) async throws -> String {
        try await Site.run(executable, command + ["--config", configurationPath] + arguments)
    }
}

extension RunningDaemon {
    var authorization: [(String, String)] { [("Authorization", "Bearer \(key)")] }

    /// POST with the secret key; throws for any status that is no success.
    @discardableResult
    func post(_ path: String, _ body: String = "") async throws -> JSON {
        let answer = try await http.post(path, fields: authorization + [("Content-Type", "application/json")], body)
        guard (200..<300).contains(answer.status) else { throw FixtureError(.malformed, "\(path): \(answer.text)") }
        return try JSONParser.parse(answer.body)
    }

    /// A gauge of `/healthz`.
    func gauge(_ group: String, _ name: String) async throws -> Int? {
        try await health()[group]?[name]?.intValue.map { Int($0) }
    }
}
