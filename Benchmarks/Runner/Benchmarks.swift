import Foundation

/// Runs one benchmark, or all of them, and prints the result of each as one line of JSON after its measurements.
///
///     benchmarks --programs DIRECTORY --daemon FILE [NAME…]
///
/// `Benchmarks/run` builds what is needed and calls this.
@main
enum Benchmarks {
    private static let all: [(name: String, run: @Sendable (Programs) async throws -> BenchmarkResult)] = [
        ("event-to-outbox", { try await EventToOutbox(programs: $0).run() }),
        ("parked", { try await ParkedExecutions(programs: $0).run() }),
        ("idle", { try await IdleDaemon(programs: $0).run() }),
        ("engine-steps", { try await EngineSteps(programs: $0).run() }),
        ("engine-vs-dbos", { try await EngineVersusDBOS(programs: $0).run() }),
        ("wait-resume", { try await WaitResume(programs: $0).run() }),
        ("timer-storm", { try await TimerStorm(programs: $0).run() }),
        ("import", { try await ImportContacts(programs: $0).run() }),
        ("erasure", { try await Erasure(programs: $0).run() }),
        ("mime-read", { try await MimeRead(programs: $0).run() }),
        ("segments", { try await SegmentUpdates(programs: $0).run() }),
        ("track", { try await TrackOverHTTP(programs: $0).run() }),
        ("pixel", { try await PixelOverHTTP(programs: $0).run() }),
        ("liquid", { try await LiquidRendering(programs: $0).run() }),
        ("drain", { try await OutboxDrain(programs: $0, receiver: .sink).run() }),
        ("drain-postfix", { try await OutboxDrain(programs: $0, receiver: .postfix).run() }),
        ("campaign", { try await Campaign(programs: $0).run() }),
        ("inbound-e2e", { try await InboundEndToEnd(programs: $0).run() }),
        ("inbound-memory", { try await InboundMemory(programs: $0).run() }),
        ("milter-cost", { try await MilterCost(programs: $0).run() }),
    ]

    static func main() async {
        do {
            if let served = try await ConstantServer.fromCommandLine(Array(CommandLine.arguments.dropFirst())) {
                return try await served.serve()
            }
            let (programs, names) = try Programs.fromCommandLine(Array(CommandLine.arguments.dropFirst()))
            if let unknown = names.first(where: { name in !all.contains { $0.name == name } }) {
                throw BenchmarkFailure(
                    "there is no benchmark \(unknown); known are \(all.map(\.name).joined(separator: ", "))")
            }
            for (name, run) in all where names.isEmpty || names.contains(name) {
                say("\(name):")
                say(try await run(programs).line(name: name))
            }
        } catch {
            FileHandle.standardError.write(Data("benchmarks: \(error)\n".utf8))
            exit(1)
        }
    }
}

/// Why a benchmark has no result.
struct BenchmarkFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Prints a line at once, also into a pipe.
func say(_ line: String) {
    print(line)
    fflush(nil)
}
