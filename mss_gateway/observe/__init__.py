"""Events with typed fields, the log that writes them, figures; nothing here shows a patient (INS-7, AUD-5)."""
