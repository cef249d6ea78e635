"""Document types of the CI-SIS (value set JDV_J07-XdsTypeCode-CISIS) and their classes (TRE_A03), as facts.

A line is: code, class, label, and words that people also search it by. Codes of digits and one hyphen are LOINC's,
the others those of TRE_A05.
"""

from __future__ import annotations

CLASSES = {
    "10": "Compte rendu",
    "11": "Synthèse",
    "31": "Imagerie médicale",
    "42": "Prescription",
    "43": "Dispensation",
    "44": "Plan de soins, protocole de soins",
    "45": "Traitement administré",
    "52": "Certificat, déclaration",
    "60": "Données de remboursement",
    "90": "Autres documents déposés par le patient",
    "95": "Document de gestion",
}
"""Code of a class to its label."""

TABLE = """\
11502-2|10|CR d'examens biologiques|compte rendu biologie analyses laboratoire
18748-4|31|CR d'imagerie médicale|compte rendu radiologie scanner irm échographie radiographie
34112-3|10|CR hospitalier (séjour)|compte rendu hospitalisation hôpital
11490-0|11|Lettre de liaison à la sortie d'un établissement de soins|ldl hospitalisation
11488-4|10|CR ou fiche de consultation ou de visite|compte rendu consultation
15508-5|10|CR d'accouchement|compte rendu maternité naissance
15507-7|10|CR de passage aux urgences|compte rendu
34874-8|10|CR opératoire|compte rendu chirurgie intervention
77436-4|10|CR d'anesthésie|compte rendu
34749-2|10|CR de consultation pré-anesthésique|compte rendu anesthésie
60568-3|10|CR d'anatomie et de cytologie pathologiques|compte rendu anapath
34794-8|10|CR de réunion de concertation pluridisciplinaire|compte rendu rcp cancer
51969-4|10|CR de génétique moléculaire|compte rendu
11505-5|10|CR d'acte thérapeutique (autre)|compte rendu
70004-7|10|CR d'acte diagnostique (autre)|compte rendu
11506-3|10|CR ou fiche de suivi de soins par auxiliaire médical|compte rendu infirmier kinésithérapeute
47420-5|10|CR de bilan fonctionnel|compte rendu
67851-6|10|CR d'admission|compte rendu entrée
78513-9|10|CR de consultation en ophtalmologie|compte rendu
78601-2|10|CR d'entretien pharmaceutique|compte rendu pharmacie
93024-8|10|CR de consultation pharmaceutique|compte rendu pharmacie
85208-7|10|CR de télémédecine|compte rendu téléconsultation téléexpertise
89233-1|10|CR de grossesse|compte rendu
59283-2|10|CR d'examen de l'enfant|compte rendu
28617-9|10|Bilan bucco-dentaire|dentiste
34120-6|10|Bilan par professionnel de santé|
96163-1|10|Bilan de soins infirmiers|infirmière infirmier
83901-9|10|Bilan psychologique|
60591-5|11|Synthèse médicale|volet de synthèse médicale vsm
34133-9|11|Synthèse d'épisode de soins|
68599-0|11|Synthèse psychiatrique|
84067-8|11|Synthèse transfusionnelle|
SYNTH|11|Synthèse|
18761-7|11|Note de transfert (dont lettre de liaison à l'entrée en établissement de soins)|adressage
96349-6|11|Lettre d'adressage|courrier
83981-1|11|Lettre de liaison à la sortie d'une structure sociale ou médico-sociale|
88348-8|11|Lettre de liaison d'entrée en structure sociale ou médico-sociale|
74207-2|11|Document de liaison d'urgence|dlu ehpad
11369-6|11|Historique des vaccinations|vaccin
87273-9|10|Note de vaccination|vaccin certificat
57833-6|42|Prescription de produits de santé|ordonnance médicaments
57832-8|42|Prescription de soins|ordonnance
57828-6|42|Prescription (autre)|ordonnance
PRESC-BIO|42|Prescription d'actes de biologie médicale|ordonnance analyses
PRESC-KINE|42|Prescription d'actes de kinésithérapie|ordonnance kiné
PRESC-INF|42|Prescription d'actes infirmiers|ordonnance infirmière
PRESC-PEDI|42|Prescription d'actes de pédicurie|ordonnance
PRESC-ORTHOPHO|42|Prescription d'actes d'orthophonie|ordonnance
PRESC-ORTHOPTIE|42|Prescription d'actes d'orthoptie|ordonnance
PRESC-AAT|42|Prescription arrêt de travail|
55115-0|42|Demande d'actes d'imagerie|ordonnance radiologie
75496-0|42|Demande d'acte de télémédecine|
60593-1|43|Dispensation médicamenteuse|pharmacie officine
DISP_AUT|43|Dispensation (autre)|pharmacie
61357-0|43|Intervention pharmaceutique|
56445-0|10|Bilan médicamenteux (Officine)|pharmacie
80565-5|45|CR d'administration de médicaments|compte rendu
18776-5|44|Plan personnalisé de soins|
77604-7|44|Planification thérapeutique|
PROT_ALD|44|Protocole de soins ALD|affection longue durée
83869-8|44|Plan personnalisé de prévention|
89601-9|52|Certificat médical|
CERT_DECL|52|Certificat, déclaration|
55751-2|52|Déclaration de problème de santé publique|maladie obligatoire
86531-1|52|Attestation de sortie|bulletin
59284-0|52|Attestation de consentement|
34895-3|95|Fiche d'information au patient|
56446-8|95|Notification de rendez-vous|convocation
51851-4|95|Document administratif|
28653-4|95|Document du secteur social / médico-social|
REMB|60|Données de remboursement|
"""
"""The types, most used first."""
