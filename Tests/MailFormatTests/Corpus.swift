import MailFormat
import MailModel

/// A whole message as the milter adapter would hand it over.
enum Corpus {
    static func message(_ bytes: [UInt8]) -> ReceivedMessage {
        let (headers, body) = MessageReader.split(bytes)
        return ReceivedMessage(headers: headers, body: body)
    }

    static func message(_ text: String) -> ReceivedMessage {
        var message = message(Array(text.replacingLineFeeds().utf8))
        message.reversePath = message.headers(named: "Return-Path").first?.filter { $0 != "<" && $0 != ">" } ?? ""
        return message
    }
}

extension String {
    /// Line ends as mail has them.
    fileprivate func replacingLineFeeds() -> String {
        split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
    }
}
