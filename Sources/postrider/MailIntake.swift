import Engine
import Foundation
import MailModel
import SQLStore
import Settings

/// Takes mail of files in, some at once so that they share commits, and says what became of it.
struct MailIntake {
    let intake: Intake
    private let manner: Intake.Manner
    /// In the order they were added.
    private var underWay: [Task<Line, Never>] = []
    private var counts = Counts()
    private let progress = Progress()
    private static let together = 16

    private struct Counts {
        var mails = 0
        var events = 0
        var duplicates = 0
        var failed = 0
    }

    /// What is to be said of one mail.
    private enum Line: Sendable {
        case taken(events: Int, duplicates: Int)
        case failed(String)
    }

    init(intake: Intake, manner: Intake.Manner) {
        self.intake = intake
        self.manner = manner
    }

    /// Runs `body` with the way in of an installation, whose daemon may be running.
    static func use(
        _ configuration: Configuration, _ body: @Sendable (Intake) async throws -> Int
    ) async throws -> Int {
        let assembly = Assembly(configuration: configuration, logger: .quiet)
        let (store, context) = try await assembly.makeEngine(exclusively: false)
        let result = try await body(try await assembly.makeIntake(context))
        try store.close()
        return result
    }

    /// - Parameters:
    ///   - name: of the mail, for people.
    ///   - message: reads it.
    ///   - whenTaken: it is an event now, or was one before.
    mutating func add(
        _ name: String, _ message: @escaping @Sendable () throws -> ReceivedMessage,
        whenTaken: @escaping @Sendable () -> Void = {}
    ) async {
        if underWay.count >= Self.together { await endOldest() }
        let (intake, manner) = (intake, manner)
        underWay.append(
            Task.detached {
                do {
                    let taken = try await intake.take(try message(), manner)
                    guard !taken.isEmpty else { return .failed("\(name): nobody has a route for it, or it is our own") }
                    whenTaken()
                    let duplicates = taken.count { $0 == .duplicate }
                    let events = taken.count { if case .recorded = $0 { true } else { false } }
                    return .taken(events: events, duplicates: duplicates)
                } catch {
                    return .failed("\(name): \(error)")
                }
            })
    }

    mutating func fail(_ name: String, _ error: any Error) {
        counts.failed += 1
        progress.clear()
        complain("\(name): \(error)")
    }

    private mutating func endOldest() async {
        counts.mails += 1
        switch await underWay.removeFirst().value {
        case .taken(let events, let duplicates):
            counts.events += events
            counts.duplicates += duplicates
        case .failed(let line):
            counts.failed += 1
            progress.clear()
            complain(line)
        }
    }

    /// Shows how far it is, now and then.
    func note(_ place: String) { progress.show("\(place), \(counts.mails) mails, \(counts.failed) failed") }

    /// Waits for the rest and prints the sum.
    /// - Returns: how many could not be taken in.
    mutating func finish() async -> Int {
        while !underWay.isEmpty { await endOldest() }
        progress.clear()
        print(
            "\(counts.mails) mails: \(counts.events) events, \(counts.duplicates) were there already, "
                + "\(counts.failed) failed")
        return counts.failed
    }
}

/// A line on the terminal that is written over; a line every ten seconds where there is none.
private final class Progress {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var last = ContinuousClock.now

    func show(_ text: String) {
        let now = ContinuousClock.now
        guard now - last > (isTerminal ? .milliseconds(200) : .seconds(10)) else { return }
        last = now
        FileHandle.standardError.write(Data((isTerminal ? "\r\u{1B}[K\(text)" : "\(text)\n").utf8))
    }

    func clear() {
        if isTerminal { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    }
}
