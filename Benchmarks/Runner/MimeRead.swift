import Foundation
import MailFormat
import MailModel
import ServerTestKit

/// Messages a second read from bytes to text, HTML and attachments over the MIME corpus, against Python's `email` with its
/// default policy; and how long the worst of inputs take.
struct MimeRead {
    let programs: Programs

    private static let rounds = 3
    private static let seconds = 3.0

    func run() async throws -> BenchmarkResult {
        let folder = ProcessInfo.processInfo.environment["POSTRIDER_CORPORA"] ?? "../shared/corpora"
        let messages = try Self.messages(in: folder + "/mime")
        var rates: [(ours: Double, python: Double)] = []
        for number in 1...Self.rounds {
            let ours = Self.rate(messages)
            let python = try await python(folder + "/mime")
            rates.append((ours, python))
            say("  round \(number): ours \(short(ours)) messages/s, Python \(short(python))/s")
        }
        let bytes = messages.reduce(0) { $0 + $1.count }
        let ours = median(rates.map(\.ours))
        var more = [("megabytes", ours * Double(bytes) / Double(messages.count) / 1_000_000)]
        for (name, message) in Self.large {
            let took = Self.time { Self.read(message) }
            say("  \(name): \(short(took * 1000)) ms")
            more.append((name + "Seconds", took))
        }
        return BenchmarkResult(
            value: ours, unit: "messages/s", against: "Python email (policy.default)",
            ratio: median(rates.map { $0.ours / $0.python }), more: more)
    }

    private static func messages(in folder: String) throws -> [[UInt8]] {
        let walker = FileManager.default.enumerator(atPath: folder)
        let names = walker?.compactMap { $0 as? String }.filter { $0.hasSuffix(".eml") }.sorted() ?? []
        guard !names.isEmpty else {
            throw BenchmarkFailure("there are no messages in \(folder): set POSTRIDER_CORPORA")
        }
        return try names.map { [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\($0)"))) }
    }

    private static func read(_ bytes: [UInt8]) {
        let (headers, body) = MessageReader.split(bytes)
        let read = MessageReader.read(ReceivedMessage(headers: headers, body: body))
        precondition(read.attachments.count <= 1000)
    }

    private static func rate(_ messages: [[UInt8]]) -> Double {
        var done = 0
        var took = 0.0
        while took < seconds {
            took += time { messages.forEach(read) }
            done += messages.count
        }
        return Double(done) / took
    }

    private static func time(_ work: () -> Void) -> Double {
        let start = ContinuousClock.now
        work()
        return (ContinuousClock.now - start) / .seconds(1)
    }

    private func python(_ folder: String) async throws -> Double {
        let script = programs.path("read-mail.py")
        let result = try await Privilege.run(
            ["/usr/bin/env", "python3", script, folder, "\(Self.seconds)"], deadline: .seconds(60))
        let figures = result.output.split(separator: " ").compactMap {
            Double($0.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        guard result.succeeded, figures.count == 2, figures[1] > 0 else {
            throw BenchmarkFailure("read-mail.py printed \(result.output)")
        }
        return figures[0] / figures[1]
    }

    /// A mail of 25 MB, one of 100 000 parts, one of 10 000 multiparts inside each other.
    private static var large: [(String, [UInt8])] {
        let line = String(repeating: "A", count: 76) + "\r\n"
        let attachment = String(repeating: line, count: 25_000_000 / line.utf8.count)
        let head = "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        let file =
            "--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + attachment + "--b--\r\n"
        let parts = String(repeating: "--b\r\n\r\nx\r\n", count: 100_000)
        let levels = (0..<10_000).map {
            "--b\($0 == 0 ? "" : "\($0)")\r\nContent-Type: multipart/mixed; boundary=b\($0 + 1)\r\n\r\n"
        }
        return [
            ("large", Array((head + file).utf8)), ("parts", Array((head + parts).utf8)),
            ("levels", Array((head + levels.joined()).utf8)),
        ]
    }
}
