"""Labels one ECG at a time, in plain Python: what `hfrisk.cohort` must say, written as slowly and obviously as it can be."""

import datetime as dt

INPATIENT = {9201, 9203, 262}


def onset(records, rule):
    """Date of the first record that takes part in a case; records are (date or None, visit kind or None, visit id or None)."""
    dated = sorted((record for record in records if record[0] is not None), key=lambda record: record[0])
    days = sorted({date for date, _, _ in dated})
    starts = []
    if rule == "any1":
        starts = days
    if rule == "first_plus_second":
        starts = [a for a in days if any(1 <= (b - a).days <= 365 for b in days)]
    if rule in {"inpatient1", "ip1_or_op2"}:
        starts = [date for date, kind, _ in dated if kind in INPATIENT]
    if rule == "ip1_or_op2":
        outpatient = [date for date, kind, _ in dated if kind not in INPATIENT]
        starts += [a for a in outpatient if any(30 <= (b - a).days <= 365 for b in outpatient)]
    if rule == "min3visits" and len({visit for _, _, visit in dated if visit is not None}) >= 3:
        starts = [date for date, _, visit in dated if visit is not None]
    return min(starts, default=None)


def label(index, records, periods, last_visit, death, config):  # noqa: PLR0917
    """(y, reason, event date, time, observed) of an ECG of a person whom the database knows."""
    dates = sorted({date for date, _, _ in records if date is not None})
    undated = any(date is None for date, _, _ in records)
    start = onset(records, config.rule)
    cases = [date for date in dates if start is not None and date >= start]
    look_from = dt.date.min
    timed = config.mode in {"diagnostic", "incident"}
    first, last = config.first_day_at_risk, config.last_day_at_risk
    if timed and not config.remove_subjects_with_prior_outcome:
        offset = first if config.mode == "diagnostic" else 0 if config.day_zero == "exclude" else 1
        look_from = index + dt.timedelta(offset)
    elif timed and config.prior_outcome_lookback is not None:
        look_from = index + dt.timedelta(min(-config.prior_outcome_lookback, first))
    event = next((date for date in cases if date >= look_from), None)
    record = next((date for date in dates if date >= look_from), None)
    t = None if event is None else (event - index).days
    r = None if record is None else (record - index).days

    period = next(((a, b) for a, b in periods if a <= index <= b), (None, None))
    visited = None if last_visit is None else max(last_visit, index)
    until = {"observation_end": period[1], "last_visit": visited}.get(config.observed_until)
    if config.observed_until == "either":
        until = max((d for d in (period[1], visited) if d is not None), default=None)
    ends = [d for d in (until, death) if d is not None]
    time = t if t is not None else max((min(ends) - index).days, 0) if ends else None
    y, reason = decide(config, timed, first, last, t, r, undated, bool(records), period[0], until, death, index)
    return y, reason, event, time, event is not None


def decide(config, timed, first, last, t, r, undated, has_record, since, until, death, index):  # noqa: C901, PLR0911, PLR0912, PLR0917
    lacks_history = config.washout > 0 and (since is None or (index - since).days < config.washout)
    strict = config.rule != "any1" and config.unconfirmed == "unknown"
    none = "no_hf_record" if not has_record else "hf_before_lookback" if config.rule == "any1" else "no_hf_by_rule"
    if config.mode == "ever":
        if t is not None or (has_record and config.rule == "any1"):
            return 1, "hf_at_any_time"
        return (None, "hf_unconfirmed") if has_record and strict else (0, none)
    if not timed:
        before = t is not None and t <= 0
        if lacks_history and not before:
            return None, "insufficient_history"
        if undated and not before:
            return None, "hf_date_unknown"
        if t == 0 and config.day_zero == "exclude":
            return None, "hf_on_index_date"
        if before:
            return 1, "hf_on_or_before_index"
        if strict and r is not None and r <= 0:
            return None, "hf_unconfirmed"
        return (0, none) if t is None else (0, "hf_after_index")
    if death is not None and death < index:
        return None, "index_after_death"
    if lacks_history:
        return None, "insufficient_history"
    if config.mode == "diagnostic":
        if t is not None and t < first:
            return None, "prior_outcome"
    elif t is not None and (t < 0 or (t == 0 and config.day_zero == "prevalent")):
        return None, "prior_outcome"
    if undated:
        return None, "hf_date_unknown"
    if config.mode == "incident" and t == 0:
        return None, "hf_on_index_date"
    if config.mode == "incident" and t is not None and 0 < t < first:
        return None, "event_in_blanking"
    if strict and r is not None and r <= last:
        in_time, case_in_time = r >= first, t is not None and t <= last
        if not (case_in_time and in_time):
            return None, "hf_unconfirmed"
    if t is not None and t <= last:
        return 1, "hf_in_window"
    required = config.last_day_required
    if death is not None and (death - index).days < required:
        return (None, "died") if config.death == "unknown" else (0, "death_without_hf")
    if config.require_time_at_risk and (until is None or (until - index).days < required):
        return None, "censored"
    return (0, none) if t is None else (0, "hf_after_window")
