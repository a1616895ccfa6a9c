import ArgumentParser
import Engine
import Foundation
import JSONValue
import MailFormat
import MailModel
import ResolverAdapter
import Settings
import WorkflowModel

/// What receivers see of a domain that sends mail through us.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Looks at SPF, DKIM, DMARC, PTR and MX of a sending domain, and at what its signature covers.",
        discussion: """
            Every finding says what is wrong and the record or the line that mends it. The status is 1 when one of them is \
            an error. With --send, a mail goes out over the relay as mail to many does, to an address whose mail the \
            running daemon is shown, and its signature is looked at; it reaches no mailbox. --mail looks at a mail that has \
            arrived somewhere else instead.
            """)

    @OptionGroup var option: ConfigurationOption

    @Option(help: "The domain in From.")
    var domain: String

    @Option(name: .customLong("selector"), help: "A DKIM selector whose key is looked at; may be given several times.")
    var selectors: [String] = []

    @Option(
        name: .customLong("ip"),
        help: "An address from which receivers get the mail; those of this host's name in the DNS when left out.")
    var addresses: [String] = []

    @Option(help: "A name server to ask instead of the system's: an IPv4 address, or address:port.")
    var resolver: String?

    @Flag(help: "Sends a mail to ourselves and looks at its signature.")
    var send = false

    @Option(help: "With --send, whom it is for; the first route's address when left out.")
    var recipient: String?

    @Option(help: "A file with a mail whose signature is looked at; - is standard input.", completion: .file())
    var mail: String?

    @Flag(help: "Prints the findings as JSON.")
    var json = false

    /// Bytes of a mail's file that are read: its header.
    private static let headerLimit = 1 << 20

    func validate() throws {
        guard let name = MailDomain.ascii(domain), name.contains("."), MailAddress.parse("x@\(name)") != nil else {
            throw ValidationError("--domain \(domain) is no domain")
        }
        for address in addresses where IPAddress(address) == nil {
            throw ValidationError("--ip \(address) is no IP address")
        }
        if let resolver, NameServer(resolver) == nil {
            throw ValidationError("--resolver takes an IPv4 address, or address:port")
        }
        for selector in selectors where !Self.isSelector(selector) {
            throw ValidationError("--selector \(selector) is no selector")
        }
        if send, mail != nil { throw ValidationError("--send and --mail are two mails") }
        if recipient != nil, !send { throw ValidationError("--recipient needs --send") }
        if let recipient, MailAddress.parse(recipient) == nil {
            throw ValidationError("--recipient \(recipient) is no mail address")
        }
    }

    private static func isSelector(_ text: String) -> Bool {
        text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.utf8.count)
                && label.utf8.allSatisfy { byte in
                    byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || (0x30...0x39).contains(byte)
                        || (0x61...0x7A).contains(byte | 0x20)
                }
        }
    }

    func run() throws {
        // Without an installation the DNS and a mail's file can be looked at all the same.
        let configuration =
            try send || FileManager.default.fileExists(atPath: option.config) ? loadConfiguration(option.config) : nil
        let seen = try mail.map(Self.read)
        let command = self
        let (origin, question, findings) = try runBlocking {
            try await command.examine(configuration, seen)
        }
        if json {
            print(JSONWriter.write(Self.report(question, findings)))
        } else {
            if let origin { print(origin) }
            for finding in findings { Self.show(finding) }
        }
        if findings.contains(where: { $0.severity == .error }) { throw ExitCode(1) }
    }

    private func examine(
        _ configuration: Configuration?, _ seen: Deliverability.SeenMail?
    ) async throws -> (origin: String?, Deliverability.Question, [DeliverabilityFinding]) {
        let names = SystemNameService(
            timeout: 5, server: (resolver ?? configuration?.dns.server).flatMap(NameServer.init))
        let domain = MailDomain.ascii(domain) ?? domain
        var question = Deliverability.Question(domain: domain, now: Int64(Date().timeIntervalSince1970))
        question.selectors = selectors.map { $0.lowercased() }
        question.addresses = addresses.compactMap { IPAddress($0) }
        var origin: String?
        if let configuration {
            let site = DoctorSite(configuration: configuration, domain: domain)
            question.returnDomains = site.returnDomains
            question.greeting = site.greeting
            if addresses.isEmpty {
                (question.addresses, origin) = await site.sendingAddresses(names)
            }
        }
        question.mail = seen
        var findings: [DeliverabilityFinding] = []
        if send, let configuration {
            let site = DoctorSite(configuration: configuration, domain: domain)
            switch try await site.loop(to: recipient) {
            case .seen(let mail): question.mail = mail
            case .failed(let finding): findings.append(finding)
            }
            findings += site.remarks
        }
        // One that was sent and not seen is said once.
        let isMissing = !findings.isEmpty && question.mail == nil
        findings += await Deliverability(question, names: names).run().filter { !isMissing || $0.subject != .mail }
        return (origin, question, findings)
    }

    private static func read(_ path: String) throws -> Deliverability.SeenMail {
        guard let file = path == "-" ? FileHandle.standardInput : FileHandle(forReadingAtPath: path) else {
            throw CommandFailure("\(path) cannot be read")
        }
        let data: Data
        do { data = try file.read(upToCount: headerLimit) ?? Data() } catch {
            throw CommandFailure("\(path) cannot be read")
        }
        let (headers, _) = MessageReader.split(Array(data))
        guard headers.contains(where: { $0.isNamed("From") }) else { throw CommandFailure("\(path) is no mail") }
        return Deliverability.SeenMail(ReceivedMessage(headers: headers))
    }

    // MARK: The report

    private static func show(_ finding: DeliverabilityFinding) {
        print("\(finding.severity.rawValue): \(finding.subject.rawValue): \(printable(finding.message))")
        if !finding.mend.isEmpty { print("    \(printable(finding.mend))") }
        if let record = finding.record { print("    \(printable(record.line))") }
    }

    /// Records of strangers and header fields stand in the sentences: a terminal gets no control characters of theirs.
    private static func printable(_ text: String) -> String {
        String(
            text.unicodeScalars.map { scalar -> Character in
                scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) ? "?" : Character(scalar)
            })
    }

    private static func report(_ question: Deliverability.Question, _ findings: [DeliverabilityFinding]) -> JSON {
        func count(_ severity: DeliverabilityFinding.Severity) -> JSON {
            .int(Int64(findings.count { $0.severity == severity }))
        }
        return [
            "domain": .string(question.domain),
            "addresses": .array(question.addresses.map { .string("\($0)") }),
            "errors": count(.error), "warnings": count(.warning),
            "findings": .array(findings.map(\.json)),
        ]
    }
}
