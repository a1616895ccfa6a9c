import ServerTestKit

/// A small configuration file that is right but for what a test changes.
struct BadInputConfiguration {
    let directory: ServerDirectory
    var database: String
    var socket: String
    /// Lines under `http:`.
    var http = "  port: 0"
    /// Lines of further sections.
    var rest = "routes:\n  - recipient: \(Site.inbox)"

    init(in directory: ServerDirectory, database: String? = nil) {
        self.directory = directory
        self.database = database ?? directory.path("postrider.db")
        socket = directory.path("configured.sock")
    }

    var text: String {
        """
        database:
          path: \(database)
        milter:
          socket: \(socket)
          socket_group: ""
        http:
        \(http)
        \(rest)
        """
    }

    /// Writes it down and returns its path.
    func write(_ name: String = "configuration.yaml") throws -> String { try directory.write(name, text) }
}
