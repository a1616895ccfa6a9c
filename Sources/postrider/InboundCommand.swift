import ArgumentParser
import Engine
import Foundation
import MailModel
import SQLStore
import Settings
import WorkflowModel

struct InboundCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inbound", abstract: "Handles mail that came in: what was kept, and what is in files.",
        subcommands: [List.self, Show.self, Replay.self, Import.self, InboundGapsCommand.self])

    /// How a command takes mail in.
    struct Manner: ParsableArguments {
        @Flag(help: "Take in what already became an event, too: it becomes another one.")
        var again = false

        @Flag(
            help: "Let workflows answer old mail, too. Without it nothing older than auto_replies.max_age is answered.")
        var answerOld = false

        func manner(_ source: String) -> Intake.Manner {
            var manner = Intake.Manner(source: source)
            manner.isAgain = again
            manner.answersOldMail = answerOld
            return manner
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls", abstract: "Prints id, time, reason, size, sender, recipients, subject, one mail a line.")

        @OptionGroup var option: ConfigurationOption

        @Option(help: "always (its route keeps all mail) or failure (its event could not be stored).")
        var reason: RawMailReasonArgument?

        @Option(help: "Only mail that came at or after this time (RFC 3339).")
        var since: TimestampArgument?

        func run() throws {
            let archive = try makeArchive(option.config)
            let (reason, since) = (reason?.reason, since?.time)
            try archive.forEach { note in
                guard reason == nil || note.reason == reason, since.map({ note.receivedAt >= $0 }) ?? true else {
                    return true
                }
                let cells = [
                    "\(note.id)", "\(note.receivedAt)", note.reason.rawValue, "\(note.size)",
                    note.reversePath.isEmpty ? "<>" : note.reversePath, note.recipients.joined(separator: ","),
                    note.subject,
                ]
                print(cells.map { $0.replacing("\t", with: " ") }.joined(separator: "\t"))
                return true
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Prints one kept mail with its envelope.",
            discussion: "The first field, X-Postrider-Envelope, is the envelope; the rest is the mail as it came.")

        @OptionGroup var option: ConfigurationOption

        @Flag(help: "Without the envelope: only the mail.")
        var raw = false

        @Option(help: "Only this attachment, decoded: its number, from 1, as the event lists them.")
        var attachment: Int?

        @Argument(help: "The id, as ls prints it.")
        var id: IdentifierArgument

        func run() throws {
            let assembly = Assembly(configuration: try loadConfiguration(option.config), logger: .quiet)
            guard let mail = try assembly.rawMail.mail(id.id) else { throw CommandFailure("there is no mail \(id.id)") }
            var bytes: [UInt8] = []
            if let attachment {
                guard let file = ReceivedFiles.file(attachment, of: mail.message, assembly.readingLimits) else {
                    throw CommandFailure("the mail has no attachment \(attachment)")
                }
                bytes = file.bytes
            } else if raw {
                RawMail.append(mail.message.headers, to: &bytes)
                bytes += mail.message.body
            } else {
                bytes = mail.bytes
            }
            try FileHandle.standardOutput.write(contentsOf: bytes)
        }
    }

    struct Replay: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Receives kept mail again, beside a running daemon.",
            discussion: """
                Mail that already became an event is left out. A mail that was kept because its event could not be \
                stored is removed when it could be now.
                """)

        @OptionGroup var option: ConfigurationOption
        @OptionGroup var manner: Manner

        @Flag(help: "All mail whose event could not be stored.")
        var failures = false

        @Flag(help: "All mail that was kept.")
        var all = false

        @Option(help: "With --all or --failures: only mail that came at or after this time (RFC 3339).")
        var since: TimestampArgument?

        @Argument(help: "The ids, as ls prints them.")
        var ids: [IdentifierArgument] = []

        func validate() throws {
            guard [failures, all, !ids.isEmpty].count(where: { $0 }) == 1 else {
                throw ValidationError("give ids, or --failures, or --all")
            }
        }

        func run() throws {
            let configuration = try loadConfiguration(option.config)
            let archive = Assembly(configuration: configuration, logger: .quiet).rawMail
            var wanted = ids.map(\.id)
            if ids.isEmpty {
                try archive.forEach { note in
                    let isLate = since.map { note.receivedAt >= $0.time } ?? true
                    if isLate, all || note.reason == .failure { wanted.append(note.id) }
                    return true
                }
            }
            let (ids, manner) = (wanted, manner.manner("replay"))
            let failed = try runBlocking {
                try await MailIntake.use(configuration) { intake in
                    var taker = MailIntake(intake: intake, manner: manner)
                    for id in ids {
                        await taker.add("\(id)") {
                            guard let mail = try archive.mail(id) else { throw CommandFailure("there is no such mail") }
                            return mail.message
                        } whenTaken: {
                            if (try? archive.mail(id))??.reason == .failure { archive.remove(id) }
                        }
                    }
                    return await taker.finish()
                }
            }
            if failed > 0 { throw ExitCode(1) }
        }
    }
}

/// The mail kept by the installation of that configuration.
private func makeArchive(_ path: String) throws -> any RawMailArchive {
    Assembly(configuration: try loadConfiguration(path), logger: .quiet).rawMail
}

/// An id as the command line takes it.
struct IdentifierArgument: ExpressibleByArgument {
    let id: Identifier

    init?(argument: String) {
        guard let id = Identifier(argument) else { return nil }
        self.id = id
    }
}

/// A time as the command line takes it.
struct TimestampArgument: ExpressibleByArgument {
    let time: Timestamp

    init?(argument: String) {
        guard let time = Timestamp(rfc3339: argument) else { return nil }
        self.time = time
    }
}

/// A reason as the command line takes it.
struct RawMailReasonArgument: ExpressibleByArgument {
    let reason: RawMail.Reason

    init?(argument: String) {
        guard let reason = RawMail.Reason(rawValue: argument) else { return nil }
        self.reason = reason
    }

    static var allValueStrings: [String] { RawMail.Reason.allCases.map(\.rawValue) }
}
