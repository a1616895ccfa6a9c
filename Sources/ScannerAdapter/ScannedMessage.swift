import Engine
import Glibc
import MailModel

/// A message as a scanner gets it: header, empty line, body, with CRLF line ends.
enum ScannedMessage {
    /// - Parameter isTraced: with the Received field that the MTA will write, and does not show to milters: a scanner that is
    ///   told nothing else learns from it who the client was.
    static func bytes(_ message: ReceivedMessage, isTraced: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(message.body.count + 4096)
        if isTraced { bytes += trace(message).utf8 }
        for field in message.headers {
            bytes += field.name.utf8
            bytes.append(UInt8(ascii: ":"))
            append(field.value, to: &bytes)
            bytes += [0x0D, 0x0A]
        }
        bytes += [0x0D, 0x0A]
        bytes += message.body
        return bytes
    }

    /// Continuation lines come with a bare LF.
    private static func append(_ value: [UInt8], to bytes: inout [UInt8]) {
        var last: UInt8 = 0
        for byte in value {
            if byte == 0x0A, last != 0x0D { bytes.append(0x0D) }
            bytes.append(byte)
            last = byte
        }
    }

    private static func trace(_ message: ReceivedMessage) -> String {
        let address = message.clientAddress.isEmpty ? "127.0.0.1" : message.clientAddress
        let name = message.clientName.hasPrefix("[") || message.clientName.isEmpty ? "unknown" : message.clientName
        let literal = address.contains(":") ? "IPv6:\(address)" : address
        let with = message.authenticatedUser == nil ? "ESMTP" : "ESMTPA"
        return "Return-Path: <\(plain(message.reversePath))>\r\n"
            + "Received: from \(plain(message.helo)) (\(plain(name)) [\(plain(literal))])\r\n"
            + "\tby localhost (Postfix) with \(with) id \(plain(message.queueID));\r\n\t\(now())\r\n"
    }

    /// What a stranger wrote must not end the line.
    static func plain(_ text: String) -> String {
        String(
            String.UnicodeScalarView(text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }.prefix(512)))
    }

    /// RFC 5322 section 3.3, UTC.
    private static func now() -> String {
        var time = time(nil)
        var parts = tm()
        gmtime_r(&time, &parts)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(days[Int(parts.tm_wday)]), \(parts.tm_mday) \(months[Int(parts.tm_mon)]) \(1900 + parts.tm_year) "
            + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) +0000"
    }
}

/// The steps that all scanners share.
enum Scan {
    /// Asks on a thread of its own.
    ///
    /// A message of which only the beginning is there cannot be found clean.
    static func run(
        _ message: ReceivedMessage, _ configuration: ScannerConfiguration, within limit: Duration,
        _ ask: @escaping @Sendable (ContinuousClock.Instant) throws(ScannerFailure) -> ScanVerdicts
    ) async -> ScanOutcome {
        guard message.body.count <= configuration.sizeLimit else {
            return .failed(reason: "the message is larger than size_limit", isTemporary: false)
        }
        let deadline = ContinuousClock.now + min(limit, configuration.timeout)
        let outcome = await ScannerThread.run { () -> ScanOutcome in
            do throws(ScannerFailure) {
                return .answered(try ask(deadline))
            } catch {
                return .failed(reason: error.description, isTemporary: error.isTemporary)
            }
        }
        guard let outcome else { return .failed(reason: "there is no thread left", isTemporary: true) }
        guard message.isBodyTruncated, case .answered(let verdicts) = outcome else { return outcome }
        let isFound = verdicts.findings.contains { $0.verdict == .fail }
        return isFound
            ? outcome
            : .failed(reason: "only the beginning of the message is kept (milter.body_limit)", isTemporary: false)
    }
}
