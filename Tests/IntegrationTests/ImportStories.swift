import Foundation
import JSONValue
import ServerTestKit
import Testing

/// Files of contacts and the real daemon.
@Suite(.serialized, .timeLimit(.minutes(3)))
struct ImportStories {
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
        let site = try await BareSite()
        var daemon = try await site.start()
        let job = try await daemon.importFile(Self.file)
        var kills = 0
        while kills < 3 {
            let before = try await daemon.api(job)["counts"]?["read"]?.intValue ?? 0
            try await eventually("the import comes on", deadline: .seconds(30), every: .milliseconds(5)) {
                let now = try await daemon.api(job)
                return now["counts"]?["read"]?.intValue ?? 0 > before || now["status"]?.stringValue != "running"
            }
            try await daemon.process.kill()
            kills += 1
            daemon = try await site.start()
        }
        let ended = try await daemon.waitForEnd(of: job)
        #expect(ended["status"] == "completed")
        let (failed, created) = (Self.rows / 1000 * 2, Self.rows - Self.rows / 1000 * 2)
        #expect(ended["counts"]?["read"]?.intValue == Int64(Self.rows))
        #expect(ended["counts"]?["created"]?.intValue == Int64(created))
        #expect(ended["counts"]?["failed"]?.intValue == Int64(failed))
        #expect(try await daemon.api("/contacts?limit=1")["total"]?.intValue == Int64(created))
        let report = try await daemon.http.get("\(job)/errors.csv", fields: daemon.authorization)
        #expect(report.text.split(separator: "\r\n").count == failed + 1)
        let export = try await daemon.http.get("/contacts/export", fields: daemon.authorization)
        let lines = export.text.split(separator: "\r\n")
        #expect(lines.count == created + 1 && Set(lines).count == lines.count)
        let left = try FileManager.default.contentsOfDirectory(atPath: site.directory.path("postrider.db-imports"))
        #expect(left.isEmpty)
        try await daemon.process.terminate()
        try await site.directory.remove()
    }

    @Test func commandsWorkBesideTheDaemonAndWithoutIt() async throws {
        let site = try await BareSite()
        let file = try site.directory.write("people.csv", "email;plan\nann@example.com;pro\nbob@example.com;7\n")
        let arguments = ["--separator", "semicolon", "--typed", file]
        let said = try await site.run("contact", "import", arguments: arguments)
        #expect(said == "2 rows: 2 created, 0 updated, 0 unchanged, 0 failed")
        let daemon = try await site.start()
        #expect(
            try await site.run("contact", "import", arguments: arguments)
                == "2 rows: 0 created, 0 updated, 2 unchanged, 0 failed")
        #expect(
            try await daemon.api("/contacts?search=bob")["data"]?.arrayValue?.first?["data"]?["plan"] == 7)
        let last = try await site.run("contact", "export").replacing("\r", with: "")
        // Contacts of one moment have no order.
        #expect(last.contains("ann@example.com,true,") ? last.hasSuffix(",pro") : last.hasSuffix(",7"), "\(last)")
        let wrong = try site.directory.write("wrong.csv", "email\nnobody\n")
        await #expect(throws: FixtureError.self) {
            try await site.run("contact", "import", arguments: [wrong])
        }
        try await daemon.process.terminate()
        try await site.directory.remove()
    }
}

extension RunningDaemon {
    /// Hands a file over.
    /// - Returns: the path of its job.
    fileprivate func importFile(_ text: String) async throws -> String {
        let fields = authorization + [("Content-Type", "text/csv")]
        let answer = try await http.post("/contacts/import", fields: fields, text)
        guard answer.status == 202, let path = answer.field("Location") else {
            throw FixtureError(.malformed, "import: \(answer.text)")
        }
        return path
    }

    fileprivate func waitForEnd(of job: String) async throws -> JSON {
        try await eventualValue("the import has ended", deadline: .seconds(90), every: .milliseconds(100)) {
            let body = try await api(job)
            // `nil` alone would be the literal of `.null` here.
            return body["status"]?.stringValue == "running" ? JSON?.none : body
        }
    }
}
