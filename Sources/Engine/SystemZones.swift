import FoundationEssentials
// Without it the type above knows UTC alone.
import FoundationInternationalization
import Synchronization
import WorkflowModel

/// The time zones that the system's library knows. The zone of the machine itself is never asked for.
package struct SystemZones: TimeZoneRules {
    /// Looking a zone up by its name is dear, and names are asked for again and again. It holds known names alone, so it
    /// is bounded by what the library knows.
    private static let known = Mutex<[String: TimeZone]>([:])

    package init() {}

    package func offset(at time: Timestamp, zone: String) -> Int64? {
        guard let zone = Self.zone(zone) else { return nil }
        // Offsets change at whole seconds, which a Date holds exactly.
        let seconds = time.microseconds / 1_000_000 - (time.microseconds % 1_000_000 < 0 ? 1 : 0)
        return Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(seconds))))
    }

    package func isKnown(_ zone: String) -> Bool { Self.zone(zone) != nil }

    private static func zone(_ name: String) -> TimeZone? {
        if let zone = known.withLock({ $0[name] }) { return zone }
        guard isName(name), let zone = TimeZone(identifier: name) else { return nil }
        // The library also takes "GMT+2" and the like, and calls the zone by another name then.
        guard name == "UTC" || zone.identifier == name else { return nil }
        known.withLock { $0[name] = zone }
        return zone
    }

    /// Letters, digits and `/_+-`: the library reads a name only up to a NUL, and takes offsets for names.
    private static func isName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 64 && (name == "GMT" || !name.hasPrefix("GMT"))
            && name.utf8.allSatisfy {
                $0 &- UInt8(ascii: "0") < 10 || ($0 | 0x20) &- UInt8(ascii: "a") < 26
                    || [UInt8(ascii: "/"), UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "-")].contains($0)
            }
    }
}
