import ArgumentParser
import Engine
import Foundation
import MailFormat
import MailModel
import Settings

extension InboundCommand {
    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Takes in mail from files, each one mail or a mailbox (mbox), beside a running daemon.",
            discussion: """
                Every mail goes the way of one that comes in now: it becomes an event of the project whose route takes \
                it, once. A mailbox may be of any size. What cannot be taken in is listed and leaves nothing; the rest is.
                """)

        @OptionGroup var option: ConfigurationOption
        @OptionGroup var manner: Manner

        @Option(help: "Who it was sent to: an address with a route, for all mails. More than one may be given.")
        var to: [String] = []

        @Option(
            help: """
                Without --to: the field that names the recipient, such as X-Original-To or Delivered-To. Without this, \
                too, all addresses of To and Cc that have a route.
                """)
        var recipientField: String?

        @Option(
            help: "auto, message, mboxrd or mboxo: what the files are, and how they quote lines that begin with From.")
        var format = "auto"

        @Argument(help: "The files; - is standard input.", completion: .file())
        var files: [String]

        func validate() throws {
            guard ["auto", "message", "mboxrd", "mboxo"].contains(format) else {
                throw ValidationError("--format must be auto, message, mboxrd or mboxo")
            }
            for address in to where MailAddress.parse(address) == nil {
                throw ValidationError("--to \(address) is no mail address")
            }
        }

        func run() throws {
            let configuration = try loadConfiguration(option.config)
            let (files, format, manner) = (files, format, manner.manner("import"))
            let recipients = ImportedRecipients(given: to, field: recipientField)
            let failed = try runBlocking {
                try await MailIntake.use(configuration) { intake in
                    for address in recipients.given where !intake.wants(recipient: address) {
                        throw CommandFailure("--to \(address) has no route: nothing would come of the mail")
                    }
                    var taker = MailIntake(intake: intake, manner: manner)
                    for path in files {
                        let file = MailFile(path: path, format: format, limit: configuration.milter.bodyLimit)
                        await file.read(into: &taker, recipients)
                    }
                    return await taker.finish()
                }
            }
            if failed > 0 { throw ExitCode(1) }
        }
    }
}

/// Who imported mail was sent to.
struct ImportedRecipients: Sendable {
    /// For all mails; empty when their fields say it.
    let given: [String]
    let field: String?

    /// Those of one message that somebody has a route for.
    func recipients(of message: ReceivedMessage, wants: (String) -> Bool) throws -> [String] {
        if !given.isEmpty { return given }
        let names = field.map { [$0] } ?? ["To", "Cc"]
        let addresses = names.flatMap { message.headers(named: $0).flatMap(HeaderAddresses.parse) }
        var seen: Set<String> = []
        let wanted = addresses.map(\.description).filter { wants($0) && seen.insert($0.lowercased()).inserted }
        guard !wanted.isEmpty else {
            throw CommandFailure("no address in \(names.joined(separator: ", ")) has a route: say --to")
        }
        return wanted
    }
}

/// A file of mail on its way in.
private struct MailFile: Sendable {
    let path: String
    let format: String
    /// Bytes of a message's body that are kept, as of mail that comes over SMTP.
    let limit: Int
    private static let piece = 1 << 20
    /// Room for the header beside the body.
    private static let headerRoom = 1 << 20

    func read(into taker: inout MailIntake, _ recipients: ImportedRecipients) async {
        guard let file = path == "-" ? FileHandle.standardInput : FileHandle(forReadingAtPath: path) else {
            return taker.fail(path, CommandFailure("it cannot be read"))
        }
        let size = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? nil
        var splitter: MailboxSplitter?
        var number = 0
        var offset = 0
        do {
            while let data = try Self.next(file) {
                var current = splitter ?? MailboxSplitter(quoting: quoting(data), limit: limit + Self.headerRoom)
                var messages: [MailboxSplitter.Message] = []
                data.withUnsafeBytes { bytes in current.feed(bytes) { messages.append($0) } }
                splitter = current
                offset += data.count
                for message in messages {
                    number += 1
                    await add(message, number, to: &taker, recipients)
                }
                taker.note(size.map { "\(path): \(offset * 100 / max(1, $0)) %" } ?? "\(path): \(offset >> 20) MiB")
            }
        } catch {
            taker.fail(path, error)
        }
        guard let last = splitter?.finish() else {
            if number == 0 { taker.fail(path, CommandFailure("there is no mail in it")) }
            return
        }
        await add(last, number + 1, to: &taker, recipients)
    }

    private static func next(_ file: FileHandle) throws -> Data? {
        let data = try file.read(upToCount: piece)
        return data?.isEmpty == false ? data : nil
    }

    private func quoting(_ beginning: Data) -> MailboxSplitter.Quoting {
        switch format {
        case "message": .message
        case "mboxrd": .mboxrd
        case "mboxo": .mboxo
        default: beginning.starts(with: Array("From ".utf8)) ? .mboxrd : .message
        }
    }

    private func add(
        _ mail: MailboxSplitter.Message, _ number: Int, to taker: inout MailIntake, _ recipients: ImportedRecipients
    ) async {
        let name = "\(path): mail \(number) at byte \(mail.offset)"
        let (intake, limit) = (taker.intake, limit)
        await taker.add(name) {
            let (headers, body) = MessageReader.split(mail.bytes)
            guard !headers.isEmpty else { throw CommandFailure("it has no header") }
            // What our own archive wrote names the envelope.
            let own = headers.first.flatMap { field in
                field.isNamed(RawMail.envelopeField) ? RawMail(envelope: field.text) : nil
            }
            var message = own?.message ?? ReceivedMessage(isInternal: true)
            message.headers = own == nil ? headers : Array(headers.dropFirst())
            message.body = Array(body.prefix(limit))
            message.isBodyTruncated = message.isBodyTruncated || mail.isTruncated || body.count > limit
            if own == nil { message.reversePath = Self.reversePath(of: message, mail.sender) }
            if own == nil || !recipients.given.isEmpty {
                message.recipients = try recipients.recipients(of: message, wants: intake.wants)
            }
            return message
        }
    }

    /// By Return-Path, which the delivering server wrote; by the mailbox file; by From.
    private static func reversePath(of message: ReceivedMessage, _ sender: String) -> String {
        if let field = message.header("Return-Path") {
            let text = field.drop { $0 == " " || $0 == "<" }.prefix { $0 != ">" && $0 != " " }
            return String(text)
        }
        if MailAddress.parse(received: sender) != nil { return sender }
        return message.headers(named: "From").flatMap(HeaderAddresses.parse).first?.description ?? ""
    }
}
