/// Dates as conditions and contact data have them.
extension Timestamp {
    /// From `YYYY-MM-DD` (midnight UTC), from RFC 3339, or from the same with the seconds or the offset left out (then UTC);
    /// nil for any other text.
    package init?(dateText text: String) {
        let bytes = text.utf8
        // Nearly every text that is compared is no date.
        guard bytes.count >= 10, bytes.count <= 40,
            bytes.prefix(4).allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }), bytes.dropFirst(4).first == UInt8(ascii: "-")
        else { return nil }
        let candidates =
            switch bytes.count {
            case 10: [text + "T00:00:00Z"]
            case 16: [text + ":00Z"]
            default: [text, text + "Z"]
            }
        for candidate in candidates {
            if let time = Timestamp(rfc3339: candidate) {
                self = time
                return
            }
        }
        return nil
    }

    /// The day in UTC, counted from 1970-01-01.
    package var utcDay: Int64 {
        let length: Int64 = 86_400_000_000
        return microseconds / length - (microseconds % length < 0 ? 1 : 0)
    }
}
