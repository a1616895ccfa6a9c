import Foundation
import JSONValue
import Liquid
import ServerTestKit

/// Mails a second out of one compiled template: an order's confirmation of 8 KB with loops, conditions and filters,
/// against python-liquid; and one without filters out of prepared data, against swift-mustache. Values are escaped on all
/// sides, and the mails must be equal byte by byte.
struct LiquidRendering {
    let programs: Programs

    private static let rounds = 5
    private static let seconds = 2.0

    func run() async throws -> BenchmarkResult {
        let directory = try ServerDirectory.temporary()
        let mail = try Side(programs.path("liquid/mail.liquid"), programs.path("liquid/data.json"))
        let plain = try Side(programs.path("liquid/plain.liquid"), programs.path("liquid/prepared.json"))
        var rates: [(ours: Double, python: Double, plain: Double, mustache: Double)] = []
        for number in 1...Self.rounds {
            let ours = try mail.rate(Self.seconds)
            let python = try await other(
                mail, "python/bin/python", [programs.path("liquid/render-mail.py")], directory.path("python.html"))
            let bare = try plain.rate(Self.seconds)
            let mustache = try await other(
                plain, "render-mustache", [], directory.path("mustache.html"), template: "liquid/plain.mustache")
            rates.append((ours, python, bare, mustache))
            say(
                "  round \(number): ours \(short(ours)) mails/s, python-liquid \(short(python))/s; without filters ours \(short(bare))/s, swift-mustache \(short(mustache))/s"
            )
        }
        try await directory.remove()
        return BenchmarkResult(
            value: median(rates.map(\.ours)), unit: "mails/s", against: "python-liquid",
            ratio: median(rates.map { $0.ours / $0.python }),
            more: [
                ("python", median(rates.map(\.python))), ("plain", median(rates.map(\.plain))),
                ("mustache", median(rates.map(\.mustache))),
                ("mustacheRatio", median(rates.map { $0.plain / $0.mustache })),
            ])
    }

    private func other(
        _ side: Side, _ program: String, _ arguments: [String], _ output: String, template: String? = nil
    ) async throws -> Double {
        let path = template.map { programs.path($0) } ?? side.path
        let printed = try await programs.run(program, arguments + [path, side.dataPath, "\(Self.seconds)", output])
        let figures = printed.split(whereSeparator: \.isWhitespace).compactMap { Double($0) }
        guard figures.count == 2, figures[1] > 0 else { throw BenchmarkFailure("\(program) printed \(printed)") }
        // The one escapes a quote as &quot; and the other as &#34;: both are the same HTML.
        let text = try String(contentsOfFile: output, encoding: .utf8).replacingOccurrences(of: "&#34;", with: "&quot;")
        guard try text == side.render() else {
            throw BenchmarkFailure("\(program) renders another mail, see \(output)")
        }
        return figures[0] / figures[1]
    }

    /// Our side: one template and its variables.
    private struct Side {
        let path: String
        let dataPath: String
        private let template: Template
        private let variables: JSONObject

        init(_ path: String, _ dataPath: String) throws {
            self.path = path
            self.dataPath = dataPath
            template = try Template(parsing: try String(contentsOfFile: path, encoding: .utf8))
            variables =
                try JSONParser.parse(try String(contentsOfFile: dataPath, encoding: .utf8)).objectValue ?? [:]
        }

        func render() throws -> String {
            try template.render(variables, options: RenderOptions(escaping: .html, now: 1_800_000_000_000_000))
        }

        func rate(_ seconds: Double) throws -> Double {
            let clock = ContinuousClock()
            let start = clock.now
            var count = 0
            while clock.now - start < .seconds(seconds) {
                for _ in 0..<20 { _ = try render() }
                count += 20
            }
            return Double(count) / ((clock.now - start) / .seconds(1))
        }
    }
}
