import Engine
import MailModel

/// The answer section of a message of the DNS (RFC 1035 section 4). Whoever sends such a message may write anything into it:
/// what cannot be read makes the whole message none.
struct DNSMessage {
    struct Record {
        /// In lower case, without the dot at the end.
        var name: String
        var type: UInt16
        var lifetime: UInt32
        /// Where its data is in the message.
        var data: Range<Int>
    }

    /// The types of records that are looked at beside those asked for.
    static let alias: UInt16 = 5

    private let bytes: [UInt8]
    let records: [Record]

    /// Nil for what is no message, or ends too early.
    init?(_ bytes: [UInt8]) {
        self.bytes = bytes
        guard bytes.count >= 12 else { return nil }
        let questions = Int(bytes[4]) << 8 | Int(bytes[5])
        let answers = Int(bytes[6]) << 8 | Int(bytes[7])
        var position = 12
        for _ in 0..<questions {
            guard let (_, end) = Self.name(at: position, in: bytes), end + 4 <= bytes.count else { return nil }
            position = end + 4
        }
        var records: [Record] = []
        for _ in 0..<answers {
            guard let (name, end) = Self.name(at: position, in: bytes), end + 10 <= bytes.count else { return nil }
            func number(_ offset: Int) -> UInt32 { UInt32(bytes[end + offset]) << 8 | UInt32(bytes[end + offset + 1]) }
            let start = end + 10
            let length = Int(number(8))
            guard start + length <= bytes.count else { return nil }
            // Only the class of the Internet concerns us.
            if number(2) == 1 {
                records.append(
                    Record(
                        name: name, type: UInt16(number(0)), lifetime: number(4) << 16 | number(6),
                        data: start..<(start + length)))
            }
            position = start + length
        }
        self.records = records
    }

    /// The record's meaning; nil for a type that we do not ask for, and for data that is none of its type.
    func value(of record: Record) -> NameRecord? {
        switch NameRecordType(rawValue: record.type) {
        case .a: record.data.count == 4 ? IPAddress(bytes: bytes[record.data]).map { .address($0) } : nil
        case .aaaa: record.data.count == 16 ? IPAddress(bytes: bytes[record.data]).map { .address($0) } : nil
        case .pointer: name(in: record.data, from: 0).map { .pointer($0) }
        case .exchanger:
            record.data.count < 3
                ? nil
                : name(in: record.data, from: 2).map {
                    let start = record.data.lowerBound
                    return .exchanger(preference: UInt16(bytes[start]) << 8 | UInt16(bytes[start + 1]), host: $0)
                }
        case .text: text(in: record.data).map { .text($0) }
        case nil: nil
        }
    }

    /// What an alias stands for.
    func target(of record: Record) -> String? { record.type == Self.alias ? name(in: record.data, from: 0) : nil }

    private func name(in data: Range<Int>, from offset: Int) -> String? {
        guard let (name, end) = Self.name(at: data.lowerBound + offset, in: bytes), end == data.upperBound else {
            return nil
        }
        return name
    }

    private func text(in data: Range<Int>) -> String? {
        var result: [UInt8] = []
        var position = data.lowerBound
        while position < data.upperBound {
            let end = position + 1 + Int(bytes[position])
            guard end <= data.upperBound else { return nil }
            result += bytes[(position + 1)..<end]
            position = end
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// A name and where it ends. Labels may go on elsewhere in the message, only ever further to the front, so that it ends.
    private static func name(at start: Int, in bytes: [UInt8]) -> (String, end: Int)? {
        var labels: [String] = []
        var length = 0
        var position = start
        var end: Int?
        var limit = start
        while position < bytes.count {
            let size = Int(bytes[position])
            switch size & 0xC0 {
            case 0xC0:
                guard position + 1 < bytes.count else { return nil }
                let target = (size & 0x3F) << 8 | Int(bytes[position + 1])
                end = end ?? position + 2
                guard target < limit else { return nil }
                limit = target
                position = target
            case 0 where size == 0:
                return (labels.joined(separator: "."), end ?? position + 1)
            case 0:
                guard position + 1 + size <= bytes.count else { return nil }
                length += size + 1
                guard length <= 255 else { return nil }
                labels.append(label(bytes[(position + 1)..<(position + 1 + size)]))
                position += size + 1
            default: return nil
            }
        }
        return nil
    }

    /// In lower case; bytes that are no letter, digit, hyphen or underscore as `\DDD` (RFC 1035 section 5.1).
    private static func label(_ bytes: ArraySlice<UInt8>) -> String {
        var result = ""
        for byte in bytes {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): result.unicodeScalars.append(Unicode.Scalar(byte | 0x20))
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                UInt8(ascii: "_"), UInt8(ascii: "/"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte)
                result += "\\" + String(repeating: "0", count: 3 - digits.utf8.count) + digits
            }
        }
        return result
    }
}
