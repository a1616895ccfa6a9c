import Foundation
import JSONValue
import ServerTestKit

/// A file of a million contacts through the HTTP route of the daemon, with the events of every row; against the minute it
/// may take. Meanwhile somebody tracks events, one after the other, and waits for each.
struct ImportContacts {
    let programs: Programs

    private static let rows = 1_000_000
    /// Seconds.
    private static let limit = 60.0

    func run() async throws -> BenchmarkResult {
        let directory = try ServerDirectory.temporary()
        let daemon = try await DaemonUnderTest.start(
            programs, database: directory.path("postrider.db"), in: directory)
        let key = try await Site.run(
            programs.daemon, ["key", "create", "--config", directory.path("postrider.yaml")])
        let http = HTTPClient(port: try daemon.httpPort, timeout: .seconds(60))
        let fields = [("Authorization", "Bearer \(key)")]
        try await Self.track(http, fields, 0)
        let before = try await daemon.idleMemory()
        let file = Self.file()
        say("  \(Self.rows) rows, \(file.count / 1_000_000) MB")
        let start = ContinuousClock.now
        let answer = try await http.post(
            "/contacts/import", fields: fields + [("Content-Type", "text/csv")], file)
        guard answer.status == 202, let job = answer.field("Location") else {
            throw BenchmarkFailure("the import was refused: \(answer.text)")
        }
        say("  taken in after \(short((ContinuousClock.now - start).inSeconds)) s")
        var peak = before
        var waits: [Double] = []
        var ended = JSON.null
        while ended.isNull {
            for _ in 0..<10 {
                let number = waits.count + 1
                waits.append(try await seconds { try await Self.track(http, fields, number) } * 1000)
                peak = max(peak, try daemon.memory)
                try await Task.sleep(for: .milliseconds(20))
            }
            let now = try JSONParser.parse(try await http.get(job, fields: fields).body)
            if now["status"]?.stringValue != "running" { ended = now }
        }
        let took = (ContinuousClock.now - start).inSeconds
        guard ended["counts"]?["created"]?.intValue == Int64(Self.rows) else {
            throw BenchmarkFailure("not everybody is there: \(JSONWriter.write(ended))")
        }
        say(
            "  done after \(short(took)) s; memory \(short(before)) MB, at most \(short(peak)) MB; an event took "
                + "\(short(median(waits))) ms (\(waits.count) of them)")
        try await daemon.stop()
        try await directory.remove()
        return BenchmarkResult(
            value: took, unit: "s", against: "limit of 60 s", ratio: took / Self.limit,
            more: [
                ("growthMB", peak - before), ("eventMilliseconds", median(waits)),
                ("rowsPerSecond", Double(Self.rows) / took),
            ])
    }

    private static func track(_ http: HTTPClient, _ fields: [(String, String)], _ number: Int) async throws {
        let answer = try await http.post(
            "/v1/track", fields: fields,
            "{\"event\":\"looked\",\"email\":\"watcher@example.org\",\"data\":{\"n\":\(number)}}")
        guard answer.status == 200 else { throw BenchmarkFailure("an event was refused: \(answer.text)") }
    }

    /// Addresses in no order, as those of people are, and three columns.
    private static func file() -> [UInt8] {
        var bytes = Array("email,firstName,plan,points\n".utf8)
        bytes.reserveCapacity(rows * 60)
        let names = ["Ann", "Bob", "Carla", "Dieter", "Élodie", "Fatima", "Giorgos", "Hana"]
        let domains = ["example.com", "mail.example.net", "example.org", "post.example.de"]
        for number in 0..<rows {
            // An odd multiplier modulo a power of two makes every number once, in an order of its own.
            let person = number &* 2_654_435_761 & 0xFFF_FFFF
            let (name, domain) = (names[person % 8], domains[person / 8 % 4])
            bytes.append(
                contentsOf:
                    "\(String(person, radix: 36)).\(person % 977)@\(domain),\(name),plan \(person % 5),\(person % 1000)\n"
                    .utf8)
        }
        return bytes
    }
}
