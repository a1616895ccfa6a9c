import Foundation
import JSONValue
import ServerTestKit
import Testing

/// Files of contacts and the real daemon.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct ImportStories {
    /// A daemon without mail servers, which may die and come back.
    private struct Stage {
        let directory: ServerDirectory
        let executable: String
        let configuration: String
        let key: String

        init() async throws {
            directory = try ServerDirectory.temporary()
            executable = try BuiltProduct.path()
            configuration = try directory.write(
                "postrider.yaml",
                """
                database:
                  path: \(directory.path("postrider.db"))
                milter:
                  socket: \(directory.path("milter.sock"))
                  socket_group: ""
                http:
                  port: 0
                """)
            key = try await Site.run(executable, ["key", "create", "--config", configuration])
        }

        var fields: [(String, String)] { [("Authorization", "Bearer \(key)")] }

        func start() async throws -> (process: DaemonProcess, http: HTTPClient) {
            let process = try DaemonProcess(executable, ["serve", "--config", configuration])
            let line = try await process.waitForLine(containing: "http is listening")
            let port = try #require(line.text.split(separator: "port=").last.flatMap { UInt16($0) })
            try await process.waitForLine(containing: "notice ready")
            return (process, HTTPClient(port: port))
        }

        func get(_ path: String, _ http: HTTPClient) async throws -> JSON {
            let answer = try await http.get(path, fields: fields)
            guard answer.status == 200 else { throw FixtureError(.malformed, "\(path): \(answer.text)") }
            return try JSONParser.parse(answer.body)
        }

        func importFile(_ text: String, _ http: HTTPClient) async throws -> String {
            let answer = try await http.post("/contacts/import", fields: fields + [("Content-Type", "text/csv")], text)
            guard answer.status == 202, let path = answer.field("Location") else {
                throw FixtureError(.malformed, "import: \(answer.text)")
            }
            return path
        }

        func waitForEnd(of job: String, _ http: HTTPClient) async throws -> JSON {
            try await eventualValue("the import has ended", deadline: .seconds(90), every: .milliseconds(100)) {
                let body = try await get(job, http)
                // `nil` alone would be the literal of `.null` here.
                return body["status"]?.stringValue == "running" ? JSON?.none : body
            }
        }
    }

    private static let rows = 20_000

    /// So many rows, of which every thousandth is about the one before it, and every thousandth is nobody.
    private static let file =
        (["email,n,plan"]
        + (0..<rows).map { number in
            switch number % 1000 {
            case 500: "nobody,\(number),x"
            case 501: "c\(number - 2)@example.com,\(number),x"
            default: "c\(number)@example.com,\(number),plan \(number % 7)"
            }
        }).joined(separator: "\n")

    @Test func importGoesOnWhereItWasWhenTheDaemonIsKilled() async throws {
        let stage = try await Stage()
        var daemon = try await stage.start()
        let job = try await stage.importFile(Self.file, daemon.http)
        var kills = 0
        while kills < 3 {
            let before = try await stage.get(job, daemon.http)["counts"]?["read"]?.intValue ?? 0
            try await eventually("the import comes on", deadline: .seconds(30), every: .milliseconds(5)) {
                let now = try await stage.get(job, daemon.http)
                return now["counts"]?["read"]?.intValue ?? 0 > before || now["status"]?.stringValue != "running"
            }
            try await daemon.process.kill()
            kills += 1
            daemon = try await stage.start()
        }
        let ended = try await stage.waitForEnd(of: job, daemon.http)
        #expect(ended["status"] == "completed")
        let (failed, created) = (Self.rows / 1000 * 2, Self.rows - Self.rows / 1000 * 2)
        #expect(ended["counts"]?["read"]?.intValue == Int64(Self.rows))
        #expect(ended["counts"]?["created"]?.intValue == Int64(created))
        #expect(ended["counts"]?["failed"]?.intValue == Int64(failed))
        #expect(try await stage.get("/contacts?limit=1", daemon.http)["total"]?.intValue == Int64(created))
        let report = try await daemon.http.get("\(job)/errors.csv", fields: stage.fields)
        #expect(report.text.split(separator: "\r\n").count == failed + 1)
        let export = try await daemon.http.get("/contacts/export", fields: stage.fields)
        let lines = export.text.split(separator: "\r\n")
        #expect(lines.count == created + 1 && Set(lines).count == lines.count)
        let left = try FileManager.default.contentsOfDirectory(atPath: stage.directory.path("postrider.db-imports"))
        #expect(left.isEmpty)
        try await daemon.process.terminate()
        try await stage.directory.remove()
    }

    @Test func commandsWorkBesideTheDaemonAndWithoutIt() async throws {
        let stage = try await Stage()
        let file = try stage.directory.write("people.csv", "email;plan\nann@example.com;pro\nbob@example.com;7\n")
        let options = ["--config", stage.configuration]
        let arguments = ["contact", "import"] + options + ["--separator", "semicolon", "--typed", file]
        let said = try await Site.run(stage.executable, arguments)
        #expect(said == "2 rows: 2 created, 0 updated, 0 unchanged, 0 failed")
        let daemon = try await stage.start()
        #expect(
            try await Site.run(stage.executable, arguments) == "2 rows: 0 created, 0 updated, 2 unchanged, 0 failed")
        #expect(
            try await stage.get("/contacts?search=bob", daemon.http)["data"]?.arrayValue?.first?["data"]?["plan"] == 7)
        let last = try await Site.run(stage.executable, ["contact", "export"] + options).replacing("\r", with: "")
        // Contacts of one moment have no order.
        #expect(last.contains("ann@example.com,true,") ? last.hasSuffix(",pro") : last.hasSuffix(",7"), "\(last)")
        let wrong = try stage.directory.write("wrong.csv", "email\nnobody\n")
        await #expect(throws: FixtureError.self) {
            try await Site.run(stage.executable, ["contact", "import"] + options + [wrong])
        }
        try await daemon.process.terminate()
        try await stage.directory.remove()
    }
}
