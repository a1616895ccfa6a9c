import Glibc
import MailModel
import WorkflowModel

/// Makes instants of the times in a log. Those without year and zone are of this machine's clock on the wall, and not in the
/// future.
struct LogClock: Sendable {
    /// A function for the lines of one batch.
    func reading() -> (MailLogRecord.Moment) -> Timestamp {
        var known: (moment: MailLogRecord.Moment, time: Timestamp)?
        let now = Timestamp(seconds: Int64(time(nil)))
        return { moment in
            if let known, known.moment == moment { return known.time }
            let found = Self.timestamp(moment, now: now)
            known = (moment, found)
            return found
        }
    }

    static func timestamp(_ moment: MailLogRecord.Moment, now: Timestamp) -> Timestamp {
        switch moment {
        case .instant(let microseconds): return Timestamp(microseconds: microseconds)
        case .local(let month, let day, let hour, let minute, let second):
            var seconds = time_t(now.microseconds / 1_000_000)
            var parts = tm()
            localtime_r(&seconds, &parts)
            (parts.tm_mon, parts.tm_mday) = (Int32(month - 1), Int32(day))
            (parts.tm_hour, parts.tm_min, parts.tm_sec, parts.tm_isdst) = (
                Int32(hour), Int32(minute), Int32(second), -1
            )
            var thisYear = parts
            let found = Timestamp(seconds: Int64(mktime(&thisYear)))
            // At New Year the last lines are of the old one. Clocks of two machines may differ by some hours.
            guard found > now.adding(seconds: 86_400) else { return found }
            parts.tm_year -= 1
            return Timestamp(seconds: Int64(mktime(&parts)))
        }
    }
}
